-- used_pairs : Pair*
-- What each payer used of each model from a moment on, and what of the model was used beside what was reviewed of this
-- payer; those with too few uses are left out. A minute is the unit that is counted in.
WITH reviewed AS (
  SELECT v.bucket, v.account_id, v.model_id, max(v.until) AS ends FROM metering.review AS v
  WHERE v.until > %(since)s::timestamptz
  GROUP BY v.bucket, v.account_id, v.model_id
), minutes AS (
  SELECT u.bucket, u.account_id, u.model_id, date_trunc('minute', u.occurred_at) AS minute, r.ends,
         count(*) AS every_use, count(*) FILTER (WHERE u.occurred_at >= coalesce(r.ends, '-infinity')) AS uses,
         sum(u.nanos) FILTER (WHERE u.occurred_at >= coalesce(r.ends, '-infinity')) AS nanos, max(u.earners) AS earners
  FROM access.deployment AS d
  CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
  JOIN metering.usage AS u ON u.bucket = b.bucket AND u.id >= %(first_id)s::uuid
  LEFT JOIN reviewed AS r ON r.bucket = u.bucket AND r.account_id = u.account_id AND r.model_id = u.model_id
  WHERE u.counted AND u.occurred_at >= %(since)s::timestamptz AND u.recorded_at < %(until)s::timestamptz
  GROUP BY u.bucket, u.account_id, u.model_id, date_trunc('minute', u.occurred_at), r.ends
), pairs AS (
  SELECT m.bucket, m.account_id, m.model_id, greatest(m.ends, %(since)s::timestamptz) AS since,
         sum(m.uses)::bigint AS uses, coalesce(sum(m.nanos), 0)::bigint AS nanos,
         (sum(sum(m.every_use)) OVER (PARTITION BY m.model_id) - sum(m.every_use - m.uses))::bigint AS model_uses,
         count(*) FILTER (WHERE m.uses > %(per_minute)s::bigint) AS busy_minutes,
         coalesce(sum(m.uses) FILTER (
           WHERE extract(HOUR FROM m.minute AT TIME ZONE a.time_zone) >= %(night_from)s::integer
             AND extract(HOUR FROM m.minute AT TIME ZONE a.time_zone) < %(night_to)s::integer), 0)::bigint AS night_uses,
         max(m.earners) AS earners
  FROM minutes AS m
  JOIN access.account AS a ON a.id = m.account_id
  GROUP BY m.bucket, m.account_id, m.model_id, m.ends
)
SELECT p.bucket::integer AS bucket, p.account_id, p.model_id, p.since, p.uses, p.nanos, p.model_uses, p.busy_minutes,
       p.night_uses, p.earners
FROM pairs AS p
WHERE p.uses >= %(few)s::bigint AND p.nanos > 0
ORDER BY p.bucket, p.account_id, p.model_id;

-- links : Link*
-- What payers have to do with earners.
SELECT p.account_id, p.earner_id, l.how
FROM unnest(%(accounts)s::bigint[], %(earners)s::bigint[]) AS p (account_id, earner_id)
JOIN access.account AS a ON a.id = p.account_id
JOIN access.account AS e ON e.id = p.earner_id
CROSS JOIN LATERAL (
  SELECT 'organization' AS how
  WHERE EXISTS (
    SELECT 1 FROM access.member AS x
    WHERE (x.organization_id = a.id AND x.user_id = e.id) OR (x.organization_id = e.id AND x.user_id = a.id))
  UNION ALL
  SELECT 'same_organization'
  WHERE EXISTS (
    SELECT 1 FROM access.member AS x JOIN access.member AS y ON y.organization_id = x.organization_id
    WHERE x.user_id = a.id AND y.user_id = e.id)
  UNION ALL
  SELECT 'referred' WHERE a.referrer_id = e.id OR e.referrer_id = a.id
  UNION ALL
  SELECT 'same_referrer' WHERE a.referrer_id = e.referrer_id
  UNION ALL
  SELECT 'same_mail_domain'
  WHERE EXISTS (
    SELECT 1 FROM access.identity AS x JOIN access.identity AS y ON y.account_id = e.id
    WHERE x.account_id = a.id AND split_part(lower(x.email), '@', 2) = split_part(lower(y.email), '@', 2)
      AND split_part(lower(x.email), '@', 2) <> all(%(public_mail)s::text[]))
  UNION ALL
  SELECT 'same_address'
  WHERE EXISTS (
    SELECT 1 FROM access.session AS x JOIN access.session AS y ON y.address = x.address
    WHERE x.account_id = a.id AND y.account_id = e.id)
) AS l;

-- open_review : bool
SELECT metering.open_review(
  %(bucket)s::smallint, %(id)s::uuid, %(account_id)s::bigint, %(model_id)s::bigint, %(since)s::timestamptz,
  %(until)s::timestamptz, %(earners)s::bigint[], %(uses)s::bigint, %(nanos)s::bigint, %(reasons)s::jsonb) AS opened;

-- reviews : ReviewRow*
-- Reviews of a state, or all, newest first.
SELECT v.id, v.bucket::integer AS bucket, v.account_id, i.external_id AS payer, m.external_id AS model_id,
       v.model_id AS model_number, v.since, v.until, v.earners, v.uses, v.nanos, v.reasons, v.state, v.reason, v.taken,
       v.lost, v.opened_at, v.ended_at
FROM metering.review AS v
JOIN market.model AS m ON m.id = v.model_id
LEFT JOIN access.identity AS i ON i.account_id = v.account_id
WHERE (%(state)s::text IS NULL OR v.state = %(state)s::text)
  AND (%(before)s::uuid IS NULL OR v.id < %(before)s::uuid)
ORDER BY v.id DESC
LIMIT %(most)s::integer;

-- review : ReviewRow
SELECT v.id, v.bucket::integer AS bucket, v.account_id, i.external_id AS payer, m.external_id AS model_id,
       v.model_id AS model_number, v.since, v.until, v.earners, v.uses, v.nanos, v.reasons, v.state, v.reason, v.taken,
       v.lost, v.opened_at, v.ended_at
FROM access.deployment AS d
CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
JOIN metering.review AS v ON v.bucket = b.bucket AND v.id = %(id)s::uuid
JOIN market.model AS m ON m.id = v.model_id
LEFT JOIN access.identity AS i ON i.account_id = v.account_id;

-- lock_review : nothing
SELECT metering.lock_review(%(bucket)s::smallint, %(id)s::uuid);

-- end_review : nothing
SELECT metering.end_review(%(bucket)s::smallint, %(id)s::uuid, %(state)s::text, %(reason)s::text, %(taken)s::bigint,
                           %(lost)s::bigint, %(at)s::timestamptz);

-- record_rejections : nothing
SELECT metering.record_rejections(%(bucket)s::smallint, %(at)s::timestamptz, %(account_id)s::bigint, %(id)s::uuid[],
                                  %(usage)s::uuid[], %(nanos)s::bigint[], %(lost)s::bigint[]);

-- young_beside : int
-- What of an earner's balance uses that are too young to be paid may still take back, those under this review left out.
SELECT metering.young_beside(%(bucket)s::smallint, %(id)s::uuid, %(earner_id)s::bigint, %(days)s::integer) AS nanos;

-- earned_under : EarnedUnder*
-- What each use under a review has left of what it earned for each earner.
SELECT m.usage_id, m.earner_id, sum(m.nanos)::bigint AS nanos
FROM (
  SELECT u.id AS usage_id, t.owner_id AS earner_id, t.amount AS nanos
  FROM metering.usage AS u
  JOIN ledger.transfer AS t ON t.bucket = u.bucket AND t.entry_id = u.id AND t.asset_id = 0
  WHERE u.bucket = %(bucket)s::smallint AND u.account_id = %(account_id)s::bigint AND u.id >= %(first_id)s::uuid
    AND u.model_id = %(model_id)s::bigint AND u.counted AND u.occurred_at >= %(since)s::timestamptz
    AND u.recorded_at < %(until)s::timestamptz
  UNION ALL
  SELECT u.id, t.owner_id, -t.amount
  FROM metering.usage AS u
  JOIN metering.reversal AS r ON r.bucket = u.bucket AND r.usage_id = u.id
  JOIN ledger.transfer AS t ON t.bucket = r.bucket AND t.entry_id = r.id AND t.asset_id = 0
  WHERE u.bucket = %(bucket)s::smallint AND u.account_id = %(account_id)s::bigint AND u.id >= %(first_id)s::uuid
    AND u.model_id = %(model_id)s::bigint AND u.counted AND u.occurred_at >= %(since)s::timestamptz
    AND u.recorded_at < %(until)s::timestamptz
) AS m
GROUP BY m.usage_id, m.earner_id
HAVING sum(m.nanos) > 0
ORDER BY m.usage_id, m.earner_id;
