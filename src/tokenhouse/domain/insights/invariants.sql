-- What holds of the cells where they count: after a restore into another cluster they do not, until they are rolled.

-- rollups_of_charges : Difference*
-- The quarter hours of charges are the sums of their records.
WITH parts AS (
  SELECT u.bucket, u.id, u.account_id, u.asset_id, coalesce(u.model_id, 0) AS model_id,
         coalesce(u.operation, '') AS operation, u.usage_type::text AS usage_type, coalesce(u.user_label, '') AS user_label,
         date_bin('15 minutes', u.occurred_at, '2000-01-01Z') AS at, (u.kind <> 'report')::integer AS uses,
         u.amount AS credits, u.counted::integer AS counted, CASE WHEN u.counted THEN u.credits ELSE 0 END AS counted_credits,
         u.nanos, coalesce(u.cost_nanos, 0) AS cost_nanos
  FROM metering.usage AS u
  CROSS JOIN insights.watermark AS w
  WHERE u.xact < w.upto
  UNION ALL
  SELECT u.bucket, r.id, u.account_id, u.asset_id, coalesce(u.model_id, 0), coalesce(u.operation, ''), u.usage_type::text,
         coalesce(u.user_label, ''), date_bin('15 minutes', u.occurred_at, '2000-01-01Z'), -(r.whole)::integer, -r.amount,
         -(r.whole AND u.counted)::integer, CASE WHEN u.counted THEN -r.amount ELSE 0 END, -r.nanos, 0
  FROM metering.reversal AS r
  JOIN metering.usage AS u ON u.bucket = r.bucket AND u.id = r.usage_id
  CROSS JOIN insights.watermark AS w
  WHERE r.xact < w.upto
), moved AS (
  SELECT t.bucket, t.entry_id, l.source, sum(CASE WHEN t.kind = 'reversal' THEN -t.amount ELSE t.amount END) AS amount
  FROM ledger.transfer AS t
  JOIN wallets.lot AS l
    ON l.bucket = t.bucket AND l.account_id = t.owner_id AND l.asset_id = t.asset_id AND l.id = t.lot_id
  WHERE t.asset_id > 0 AND l.source IN ('allowance', 'top_up') AND t.kind IN ('charge', 'capture', 'reversal')
  GROUP BY t.bucket, t.entry_id, l.source
), paid AS (
  SELECT p.*, coalesce(a.amount, 0) AS allowance, coalesce(t.amount, 0) AS top_up
  FROM parts AS p
  LEFT JOIN moved AS a ON a.bucket = p.bucket AND a.entry_id = p.id AND a.source = 'allowance'
  LEFT JOIN moved AS t ON t.bucket = p.bucket AND t.entry_id = p.id AND t.source = 'top_up'
), cubes AS (
  SELECT v.cube, v.of_payer, v.by_model, v.by_work, v.by_label
  FROM (VALUES ('payer', true, false, false, false), ('payer_mix', true, true, true, true),
               ('platform', false, false, false, false), ('platform_work', false, false, true, false),
               ('platform_model', false, true, false, false)) AS v (cube, of_payer, by_model, by_work, by_label)
), derived AS (
  SELECT c.cube, p.bucket, CASE WHEN c.of_payer THEN p.account_id ELSE 0 END AS owner_id, p.at,
         CASE WHEN c.by_model THEN p.model_id ELSE 0 END AS model_id, p.asset_id,
         CASE WHEN c.by_work THEN p.operation ELSE '' END AS operation,
         CASE WHEN c.by_work THEN p.usage_type ELSE '' END AS usage_type,
         CASE WHEN c.by_label THEN p.user_label ELSE '' END AS user_label,
         concat_ws(' ', sum(p.uses), sum(p.credits), sum(p.counted), sum(p.counted_credits), sum(p.nanos),
                   sum(p.cost_nanos), sum(p.allowance), sum(p.top_up)) AS figures
  FROM paid AS p
  CROSS JOIN cubes AS c
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
), kept AS (
  SELECT c.*, concat_ws(' ', c.uses, c.credits, c.counted, c.counted_credits, c.nanos, c.cost_nanos, c.allowance, c.top_up)
           AS figures
  FROM insights.cell AS c
  WHERE c.grain = 'quarter' AND c.cube NOT LIKE 'earner%%'
)
SELECT concat_ws(' ', coalesce(k.cube, d.cube), coalesce(k.owner_id, d.owner_id), coalesce(k.at, d.at),
                 coalesce(k.model_id, d.model_id), coalesce(k.operation, d.operation)) AS subject,
       coalesce(k.figures, 'none') AS recorded, coalesce(d.figures, 'none') AS derived
FROM derived AS d
FULL JOIN kept AS k
  ON k.bucket = d.bucket AND k.cube = d.cube AND k.owner_id = d.owner_id AND k.at = d.at AND k.model_id = d.model_id
     AND k.asset_id = d.asset_id AND k.operation = d.operation AND k.usage_type = d.usage_type
     AND k.user_label = d.user_label
WHERE d.figures IS DISTINCT FROM k.figures
  AND (SELECT w.cluster FROM insights.watermark AS w) = (SELECT c.system_identifier FROM pg_control_system() AS c)::text;

-- rollups_of_earners : Difference*
-- The quarter hours of earners are the sums of others' uses of their models and of the transfers to them.
WITH moves AS (
  SELECT u.bucket, e.id AS owner_id, u.model_id, date_bin('15 minutes', u.occurred_at, '2000-01-01Z') AS at, 1 AS uses,
         u.credits, 0::bigint AS nanos
  FROM metering.usage AS u
  CROSS JOIN insights.watermark AS w
  CROSS JOIN unnest(u.earners) AS e (id)
  WHERE u.counted AND u.xact < w.upto
  UNION ALL
  SELECT u.bucket, e.id, u.model_id, date_bin('15 minutes', u.occurred_at, '2000-01-01Z'), -(r.whole)::integer, -r.amount, 0
  FROM metering.reversal AS r
  JOIN metering.usage AS u ON u.bucket = r.bucket AND u.id = r.usage_id AND u.counted
  CROSS JOIN insights.watermark AS w
  CROSS JOIN unnest(u.earners) AS e (id)
  WHERE r.xact < w.upto
  UNION ALL
  SELECT u.bucket, t.owner_id, u.model_id, date_bin('15 minutes', u.occurred_at, '2000-01-01Z'), 0, 0, t.amount
  FROM metering.usage AS u
  CROSS JOIN insights.watermark AS w
  JOIN ledger.transfer AS t ON t.bucket = u.bucket AND t.entry_id = u.id AND t.asset_id = 0
  WHERE u.xact < w.upto
  UNION ALL
  SELECT u.bucket, t.owner_id, u.model_id, date_bin('15 minutes', u.occurred_at, '2000-01-01Z'), 0, 0, -t.amount
  FROM metering.reversal AS r
  JOIN metering.usage AS u ON u.bucket = r.bucket AND u.id = r.usage_id
  CROSS JOIN insights.watermark AS w
  JOIN ledger.transfer AS t ON t.bucket = r.bucket AND t.entry_id = r.id AND t.asset_id = 0
  WHERE r.xact < w.upto
), derived AS (
  SELECT c.cube, m.bucket, m.owner_id, m.at, CASE WHEN c.by_model THEN m.model_id ELSE 0 END AS model_id,
         concat_ws(' ', sum(m.uses), sum(m.credits), sum(m.nanos)) AS figures
  FROM moves AS m
  CROSS JOIN (VALUES ('earner', false), ('earner_model', true)) AS c (cube, by_model)
  GROUP BY 1, 2, 3, 4, 5
), kept AS (
  SELECT c.*, concat_ws(' ', c.uses, c.credits, c.nanos) AS figures
  FROM insights.cell AS c
  WHERE c.grain = 'quarter' AND c.cube LIKE 'earner%%'
)
SELECT concat_ws(' ', coalesce(k.cube, d.cube), coalesce(k.owner_id, d.owner_id), coalesce(k.at, d.at),
                 coalesce(k.model_id, d.model_id)) AS subject,
       coalesce(k.figures, 'none') AS recorded, coalesce(d.figures, 'none') AS derived
FROM derived AS d
FULL JOIN kept AS k
  ON k.bucket = d.bucket AND k.cube = d.cube AND k.owner_id = d.owner_id AND k.at = d.at AND k.model_id = d.model_id
WHERE d.figures IS DISTINCT FROM k.figures
  AND (SELECT w.cluster FROM insights.watermark AS w) = (SELECT c.system_identifier FROM pg_control_system() AS c)::text;

-- rollups_of_longer : Difference*
-- An hour, a day and a month are the sums of their quarter hours, in every cube.
WITH derived AS (
  SELECT c.bucket, c.cube, c.owner_id, g.grain, date_trunc(g.grain, c.at, 'UTC') AS at, c.model_id, c.asset_id, c.operation,
         c.usage_type, c.user_label,
         concat_ws(' ', sum(c.uses), sum(c.credits), sum(c.counted), sum(c.counted_credits), sum(c.nanos),
                   sum(c.cost_nanos), sum(c.allowance), sum(c.top_up)) AS figures
  FROM insights.cell AS c
  CROSS JOIN (VALUES ('hour'), ('day'), ('month')) AS g (grain)
  WHERE c.grain = 'quarter' AND (g.grain <> 'hour' OR c.cube IN ('earner', 'payer', 'platform', 'platform_work'))
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
), kept AS (
  SELECT c.*, concat_ws(' ', c.uses, c.credits, c.counted, c.counted_credits, c.nanos, c.cost_nanos, c.allowance, c.top_up)
           AS figures
  FROM insights.cell AS c
  WHERE c.grain <> 'quarter'
)
SELECT concat_ws(' ', coalesce(k.cube, d.cube), coalesce(k.owner_id, d.owner_id), coalesce(k.grain, d.grain),
                 coalesce(k.at, d.at), coalesce(k.model_id, d.model_id)) AS subject,
       coalesce(k.figures, 'none') AS recorded, coalesce(d.figures, 'none') AS derived
FROM derived AS d
FULL JOIN kept AS k
  ON k.bucket = d.bucket AND k.cube = d.cube AND k.owner_id = d.owner_id AND k.grain = d.grain AND k.at = d.at
     AND k.model_id = d.model_id AND k.asset_id = d.asset_id AND k.operation = d.operation
     AND k.usage_type = d.usage_type AND k.user_label = d.user_label
WHERE d.figures IS DISTINCT FROM k.figures
  AND (SELECT w.cluster FROM insights.watermark AS w) = (SELECT c.system_identifier FROM pg_control_system() AS c)::text;

-- rollups_of_audiences : Difference*
-- Who used an earner's models, by day and by month, is what the records say.
WITH moves AS (
  SELECT u.bucket, e.id AS earner_id, u.model_id, u.account_id, u.occurred_at AS at, 1 AS uses
  FROM metering.usage AS u
  CROSS JOIN insights.watermark AS w
  CROSS JOIN unnest(u.earners) AS e (id)
  WHERE u.counted AND u.xact < w.upto
  UNION ALL
  SELECT u.bucket, e.id, u.model_id, u.account_id, u.occurred_at, -1
  FROM metering.reversal AS r
  JOIN metering.usage AS u ON u.bucket = r.bucket AND u.id = r.usage_id AND u.counted
  CROSS JOIN insights.watermark AS w
  CROSS JOIN unnest(u.earners) AS e (id)
  WHERE r.whole AND r.xact < w.upto
), derived AS (
  SELECT m.bucket, m.earner_id, CASE WHEN c.by_model THEN m.model_id ELSE 0 END AS model_id, g.grain,
         date_trunc(g.grain, m.at, 'UTC') AS at, m.account_id, sum(m.uses) AS uses
  FROM moves AS m
  CROSS JOIN (VALUES (false), (true)) AS c (by_model)
  CROSS JOIN (VALUES ('day'), ('month')) AS g (grain)
  GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT concat_ws(' ', 'earner', coalesce(a.earner_id, d.earner_id), 'model', coalesce(a.model_id, d.model_id),
                 coalesce(a.grain, d.grain), coalesce(a.at, d.at), 'user', coalesce(a.account_id, d.account_id)) AS subject,
       coalesce(a.uses::text, 'none') AS recorded, coalesce(d.uses::text, 'none') AS derived
FROM derived AS d
FULL JOIN insights.audience AS a
  ON a.bucket = d.bucket AND a.earner_id = d.earner_id AND a.model_id = d.model_id AND a.grain = d.grain AND a.at = d.at
     AND a.account_id = d.account_id
WHERE d.uses IS DISTINCT FROM a.uses
  AND (SELECT w.cluster FROM insights.watermark AS w) = (SELECT c.system_identifier FROM pg_control_system() AS c)::text;
