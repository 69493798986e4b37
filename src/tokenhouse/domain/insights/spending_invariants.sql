-- What holds of the sums of spending where they count, as invariants.sql says of the cells.

-- spending_of_accounts : Difference*
-- What an account used on a day is the sum of its records.
WITH parts AS (
  SELECT u.bucket, u.account_id, (u.occurred_at AT TIME ZONE 'UTC')::date AS at, (u.kind <> 'report')::integer AS uses,
         u.amount AS credits, u.nanos AS earned, coalesce(u.cost_nanos, k.nanos, 0) AS cost,
         (u.kind <> 'report' AND coalesce(u.cost_nanos, k.nanos) IS NOT NULL)::integer AS costed
  FROM metering.usage AS u
  LEFT JOIN metering.cost AS k ON k.bucket = u.bucket AND k.usage_id = u.id
  CROSS JOIN insights.watermark AS w
  WHERE u.xact < w.upto
  UNION ALL
  SELECT u.bucket, u.account_id, (u.occurred_at AT TIME ZONE 'UTC')::date, -(r.whole)::integer, -r.amount, -r.nanos, 0,
         -(r.whole AND coalesce(u.cost_nanos, k.nanos) IS NOT NULL)::integer
  FROM metering.reversal AS r
  JOIN metering.usage AS u ON u.bucket = r.bucket AND u.id = r.usage_id
  LEFT JOIN metering.cost AS k ON k.bucket = u.bucket AND k.usage_id = u.id
  CROSS JOIN insights.watermark AS w
  WHERE r.xact < w.upto
), derived AS (
  SELECT p.bucket, p.account_id, p.at,
         concat_ws(' ', sum(p.uses), sum(p.credits), sum(p.earned), sum(p.cost), sum(p.costed)) AS figures
  FROM parts AS p
  GROUP BY p.bucket, p.account_id, p.at
), kept AS (
  SELECT s.bucket, s.owner_id, s.at, concat_ws(' ', s.uses, s.credits, s.earned, s.cost, s.costed) AS figures
  FROM insights.spend AS s
  WHERE s.kind IN ('user', 'organization') AND s.grain = 'day'
)
SELECT concat_ws(' ', 'account', coalesce(k.owner_id, d.account_id), coalesce(k.at, d.at)) AS subject,
       coalesce(k.figures, 'none') AS recorded, coalesce(d.figures, 'none') AS derived
FROM derived AS d
FULL JOIN kept AS k ON k.bucket = d.bucket AND k.owner_id = d.account_id AND k.at = d.at
WHERE d.figures IS DISTINCT FROM k.figures
  AND (SELECT w.cluster FROM insights.watermark AS w) = (SELECT c.system_identifier FROM pg_control_system() AS c)::text;

-- spending_of_kinds : Difference*
-- By whatever it is summed up, a day comes to the same.
WITH days AS (
  SELECT s.bucket, CASE WHEN s.kind IN ('user', 'organization') THEN 'account' ELSE s.kind END AS kind, s.at,
         concat_ws(' ', sum(s.uses), sum(s.credits), sum(s.earned), trim_scale(sum(s.revenue)), sum(s.cost), sum(s.costed))
           AS figures
  FROM insights.spend AS s
  WHERE s.grain = 'day'
  GROUP BY 1, 2, 3
)
SELECT concat_ws(' ', 'spending by', d.kind, d.at) AS subject, d.figures AS recorded, coalesce(a.figures, 'none') AS derived
FROM days AS d
LEFT JOIN days AS a ON a.bucket = d.bucket AND a.kind = 'all' AND a.at = d.at
WHERE d.figures IS DISTINCT FROM a.figures;

-- spending_of_months : Difference*
-- A month is the sum of its days.
WITH derived AS (
  SELECT s.bucket, s.kind, date_trunc('month', s.at::timestamp)::date AS at, s.owner_id, s.subject,
         concat_ws(' ', sum(s.uses), sum(s.credits), sum(s.earned), trim_scale(sum(s.revenue)), sum(s.cost), sum(s.costed))
           AS figures
  FROM insights.spend AS s
  WHERE s.grain = 'day'
  GROUP BY 1, 2, 3, 4, 5
), kept AS (
  SELECT s.*, concat_ws(' ', s.uses, s.credits, s.earned, trim_scale(s.revenue), s.cost, s.costed) AS figures
  FROM insights.spend AS s
  WHERE s.grain = 'month'
)
SELECT concat_ws(' ', 'spending by', coalesce(k.kind, d.kind), coalesce(k.at, d.at), coalesce(k.owner_id, d.owner_id),
                 coalesce(k.subject, d.subject)) AS subject,
       coalesce(k.figures, 'none') AS recorded, coalesce(d.figures, 'none') AS derived
FROM derived AS d
FULL JOIN kept AS k
  ON k.bucket = d.bucket AND k.kind = d.kind AND k.at = d.at AND k.owner_id = d.owner_id AND k.subject = d.subject
WHERE d.figures IS DISTINCT FROM k.figures;
