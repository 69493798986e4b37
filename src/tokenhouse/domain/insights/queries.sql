-- roll : int
-- Adds to the cells what was recorded since the last time.
SELECT insights.roll(%(anew)s::boolean) AS count;

-- read : Found*
-- The figures of a cube.
SELECT r.point, r.owner_id, r.model_id, r.asset_id, r.operation, r.usage_type, r.user_label, r.uses, r.credits, r.counted,
       r.counted_credits, r.nanos, r.cost_nanos, r.allowance, r.top_up
FROM insights.read(
  %(cube)s::text, %(owner_id)s::bigint, %(model_id)s::bigint, %(bounds)s::timestamptz[], %(grains)s::text[],
  %(points)s::integer[]
) AS r
ORDER BY r.point, r.owner_id, r.model_id, r.asset_id, r.operation, r.usage_type, r.user_label;

-- mark : Mark
-- How far the records are in the cells.
SELECT w.upto, w.cluster = (SELECT c.system_identifier FROM pg_control_system() AS c)::text AS current, w.rolled_at,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint - w.upto AS waiting
FROM insights.watermark AS w;

-- forget : nothing
-- Writes the id that an erased person has from now on where the person's stood.
SELECT insights.forget(%(account_id)s::bigint, %(label)s::text, %(opaque)s::text);

-- clock : ClockFound*
-- An earner's figures by weekday and hour where clocks show that zone's time.
SELECT c.weekday, c.hour, c.uses, c.credits, c.nanos
FROM insights.clock(
  %(cube)s::text, %(owner_id)s::bigint, %(model_id)s::bigint, %(bounds)s::timestamptz[], %(grains)s::text[], %(zone)s::text
) AS c
ORDER BY c.weekday, c.hour;

-- users : Users
-- How many used an earner's models; model_id 0: any of them.
SELECT u.users, u.new_users, u.previous_users
FROM insights.users_of(
  %(earner_id)s::bigint, %(model_id)s::bigint, %(bounds)s::timestamptz[], %(grains)s::text[], %(points)s::integer[]
) AS u;

-- retention : Kept*
-- Who came again, by cohort.
SELECT r.cohort, r.later, r.users
FROM insights.retention_of(
  %(earner_id)s::bigint, %(model_id)s::bigint, %(bounds)s::timestamptz[], %(grains)s::text[], %(points)s::integer[]
) AS r
ORDER BY r.cohort, r.later;

-- recent : Recent*
-- The latest uses of an earner's models.
SELECT r.id, r.model_id, r.model_name, r.usage_type, r.user_id, r.credits, r.nanos, r.occurred_at
FROM insights.recent_of(
  %(earner_id)s::bigint, %(model_id)s::bigint, %(since)s::timestamptz, %(before)s::timestamptz, %(most)s::integer
) AS r;

-- models_named : ModelNamed*
-- How models are called.
SELECT m.id, m.external_id, m.name, m.category
FROM market.model AS m
WHERE m.id = any(%(ids)s::bigint[]);

-- model_number : int
-- The number of a model.
SELECT m.id
FROM market.model AS m
WHERE m.external_id = %(external_id)s::text;

-- transactions : Transaction*
-- The latest payouts, adjustments and bonuses of an account from a time on; a payout on its way is pending.
SELECT t.id, t.kind, t.nanos, t.status, t.created_at
FROM (
  SELECT p.id, 'payout' AS kind, p.amount AS nanos,
         CASE WHEN p.state IN ('processing', 'unknown') THEN 'pending' ELSE p.state::text END AS status,
         p.requested_at AS created_at
  FROM payouts.payout AS p
  WHERE p.bucket = %(bucket)s::smallint AND p.account_id = %(account_id)s::bigint
  UNION ALL
  SELECT a.id, a.kind, a.nanos, 'completed', a.recorded_at
  FROM access.deployment AS d
  CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
  JOIN earnings.adjustment AS a ON a.bucket = b.bucket AND a.account_id = %(account_id)s::bigint
) AS t
WHERE t.created_at >= %(since)s::timestamptz AND t.created_at < %(before)s::timestamptz
ORDER BY t.created_at DESC, t.id DESC
LIMIT %(most)s::integer;
