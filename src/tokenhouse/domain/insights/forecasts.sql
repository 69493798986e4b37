-- first_use : Clock
-- The database's time, and since when an account has been used; null: never.
SELECT clock_timestamp() AS now, (
  SELECT u.occurred_at FROM metering.usage AS u
  WHERE u.bucket = %(bucket)s::smallint AND u.account_id = %(account_id)s::bigint
  ORDER BY u.id LIMIT 1) AS first_used_at;

-- open_lots : OpenLot*
-- What there is to burn, and what holds have set aside of each wallet.
SELECT a.asset_id::integer AS asset_id, a.held, l.id, l.remaining, l.source, l.priority, l.expires_at
FROM ledger.account AS a
LEFT JOIN wallets.lot AS l
  ON l.bucket = a.bucket AND l.account_id = a.owner_id AND l.asset_id = a.asset_id AND l.remaining > 0
WHERE a.bucket = %(bucket)s::smallint AND a.owner_id = %(account_id)s::bigint AND a.role = 'wallet'
ORDER BY a.asset_id, l.id;

-- kept : Kept
SELECT f.wanted, f.made_at, f.as_of, f.days, f.method, f.mean_30, f.low_30, f.high_30, f.mean_90, f.low_90, f.high_90
FROM insights.forecast AS f
WHERE f.account_id = %(account_id)s::bigint;

-- wanted_forecasts : WantedForecast*
SELECT f.account_id, a.bucket::integer AS bucket, a.time_zone
FROM insights.forecast AS f
JOIN access.account AS a ON a.id = f.account_id
WHERE f.wanted
ORDER BY f.made_at NULLS FIRST, f.account_id
LIMIT %(most)s::integer;

-- request_forecast : nothing
SELECT insights.request_forecast(%(account_id)s::bigint);

-- request_forecasts : int
SELECT insights.request_forecasts(%(since)s::timestamptz, %(hours)s::integer) AS count;

-- keep_forecast : nothing
SELECT insights.keep_forecast(
  %(account_id)s::bigint, %(as_of)s::date, %(days)s::integer, %(method)s::text, %(figures)s::bigint[]);

-- time_zone_of : str
SELECT a.time_zone FROM access.account AS a WHERE a.id = %(account_id)s::bigint;
