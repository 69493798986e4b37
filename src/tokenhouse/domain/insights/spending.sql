-- cost_uses : int
-- Writes what uses cost; of how many it was not known before.
SELECT insights.cost_uses(
         %(buckets)s::smallint[], %(uses)s::uuid[], %(nanos)s::bigint[], %(sources)s::text[], %(versions)s::text[],
         %(tried)s::text) AS uses;

-- spend_by_day : DaySpend*
-- What the uses of each day came to. The sums count where they were made in this cluster.
SELECT p.at, sum(p.uses)::bigint AS uses, sum(p.credits)::bigint AS credits, sum(p.earned)::bigint AS earned,
       sum(p.revenue) AS revenue, sum(p.cost)::bigint AS cost, sum(p.costed)::bigint AS costed
FROM (
  SELECT s.at, s.uses, s.credits, s.earned, s.revenue, s.cost, s.costed
  FROM access.deployment AS d
  CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
  JOIN insights.spend AS s
    ON s.bucket = b.bucket AND s.kind = 'all' AND s.grain = 'day'
    AND s.at BETWEEN %(first)s::date AND %(last)s::date
    AND (SELECT w.upto > 0 AND w.cluster = (SELECT c.system_identifier FROM pg_control_system() AS c)::text
         FROM insights.watermark AS w)
  UNION ALL
  SELECT n.at, n.uses, n.credits, n.earned, n.revenue, n.cost, n.costed
  FROM insights.spending_since(ARRAY['all'], %(first)s::date, %(last)s::date) AS n
) AS p
GROUP BY p.at
ORDER BY p.at;

-- spend_by : SubjectSpend*
-- What uses came to by operation, model, account …, the most of what is asked for first. name: a model's, an account's.
-- First who is among the most, by that figure alone; then all figures of those.
WITH new AS MATERIALIZED (
  SELECT n.owner_id, n.subject, n.uses, n.credits, n.earned, n.revenue, n.cost, n.costed
  FROM insights.spending_since(%(kinds)s::text[], %(first)s::date, %(last)s::date) AS n
), part AS MATERIALIZED (
  SELECT b.bucket, k.kind, g.grain, g.first, g.beyond
  FROM access.deployment AS d
  CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
  CROSS JOIN unnest(%(kinds)s::text[]) AS k (kind)
  CROSS JOIN unnest(%(grains)s::text[], %(starts)s::date[], %(ends)s::date[]) AS g (grain, first, beyond)
  WHERE (SELECT w.upto > 0 AND w.cluster = (SELECT c.system_identifier FROM pg_control_system() AS c)::text
         FROM insights.watermark AS w)
), point AS MATERIALIZED (
  SELECT p.bucket, p.kind, p.grain, a.at::date AS at
  FROM part AS p
  CROSS JOIN generate_series(p.first::timestamp, p.beyond::timestamp - interval '1 day', ('1 ' || p.grain)::interval)
    AS a (at)
), ranked AS MATERIALIZED (
  SELECT r.owner_id, r.subject, sum(r.whole)::numeric + coalesce(sum(r.exact), 0) AS rank
  FROM (
    SELECT s.owner_id, s.subject,
           CASE %(sort)s::text WHEN 'uses' THEN s.uses WHEN 'credits' THEN s.credits WHEN 'earnings' THEN s.earned
                               WHEN 'cost' THEN s.cost ELSE 0 END AS whole,
           CASE %(sort)s::text WHEN 'revenue' THEN s.revenue
                               WHEN 'margin' THEN s.revenue - (s.cost + s.earned)::numeric * 1000000000 END AS exact
    FROM part AS p
    CROSS JOIN LATERAL (
      SELECT x.* FROM insights.spend AS x
      WHERE x.bucket = p.bucket AND x.kind = p.kind AND x.grain = p.grain AND x.at >= p.first AND x.at < p.beyond
      OFFSET 0  -- by the key, part by part: no other plan is better
    ) AS s
    WHERE s.uses <> 0 OR s.credits <> 0 OR s.earned <> 0 OR s.revenue <> 0 OR s.cost <> 0
    UNION ALL
    SELECT n.owner_id, n.subject,
           CASE %(sort)s::text WHEN 'uses' THEN n.uses WHEN 'credits' THEN n.credits WHEN 'earnings' THEN n.earned
                               WHEN 'cost' THEN n.cost ELSE 0 END,
           CASE %(sort)s::text WHEN 'revenue' THEN n.revenue
                               WHEN 'margin' THEN n.revenue - (n.cost + n.earned)::numeric * 1000000000 END
    FROM new AS n
  ) AS r
  GROUP BY r.owner_id, r.subject
  ORDER BY 3 DESC, 1, 2
  LIMIT %(most)s::integer
), found AS (
  SELECT r.owner_id, r.subject, r.rank, sum(f.uses)::bigint AS uses, sum(f.credits)::bigint AS credits,
         sum(f.earned)::bigint AS earned, sum(f.revenue) AS revenue, sum(f.cost)::bigint AS cost,
         sum(f.costed)::bigint AS costed
  FROM ranked AS r
  CROSS JOIN LATERAL (
    SELECT s.uses, s.credits, s.earned, s.revenue, s.cost, s.costed
    FROM point AS p
    CROSS JOIN LATERAL (
      SELECT x.* FROM insights.spend AS x
      WHERE x.bucket = p.bucket AND x.kind = p.kind AND x.grain = p.grain AND x.at = p.at AND x.owner_id = r.owner_id
        AND x.subject = r.subject
      OFFSET 0
    ) AS s
    UNION ALL
    SELECT n.uses, n.credits, n.earned, n.revenue, n.cost, n.costed FROM new AS n
    WHERE n.owner_id = r.owner_id AND n.subject = r.subject
  ) AS f
  GROUP BY r.owner_id, r.subject, r.rank
)
SELECT CASE WHEN f.owner_id > 0 THEN i.external_id WHEN %(by_model)s::boolean THEN m.external_id
            ELSE nullif(f.subject, '') END AS id,
       coalesce(i.name, m.name) AS name, f.uses, f.credits, f.earned, f.revenue, f.cost, f.costed
FROM found AS f
LEFT JOIN access.identity AS i ON i.account_id = nullif(f.owner_id, 0)
LEFT JOIN market.model AS m ON m.id = CASE WHEN %(by_model)s::boolean THEN nullif(f.subject, '')::bigint END
WHERE f.uses <> 0 OR f.credits <> 0 OR f.earned <> 0 OR f.revenue <> 0 OR f.cost <> 0
ORDER BY f.rank DESC, f.owner_id, f.subject;

-- purchases_between : Purchases
-- Models bought in a time, and the credits paid for them.
SELECT count(*) AS count, coalesce(sum(o.price_credits), 0)::bigint AS credits
FROM market.ownership AS o
WHERE o.bought_at >= %(since)s::timestamptz AND o.bought_at < %(until)s::timestamptz
  AND (%(account_id)s::bigint IS NULL OR o.account_id = %(account_id)s::bigint);

-- at_risk : AtRisk*
-- Accounts that have used so much of an allowance of the present period, the most used first.
SELECT i.external_id AS account_id, a.kind, i.name, e.plan_id, t.code AS credit_type, l.allowance, l.used,
       e.renews_at
FROM (
  SELECT x.bucket, x.account_id, x.asset_id, sum(x.amount - x.lapsed)::bigint AS allowance,
         sum(x.amount - x.lapsed - x.remaining)::bigint AS used
  FROM wallets.lot AS x
  JOIN wallets.enrolment AS n
    ON n.bucket = x.bucket AND n.account_id = x.account_id AND n.period_started_at = x.period_started_at
    AND n.renews_at > clock_timestamp()
  WHERE x.source = 'allowance'
  GROUP BY x.bucket, x.account_id, x.asset_id
  HAVING sum(x.amount - x.lapsed - x.remaining) * 10000 >= sum(x.amount - x.lapsed) * %(from_bps)s::bigint
     AND sum(x.amount - x.lapsed - x.remaining) > 0
) AS l
JOIN wallets.enrolment AS e ON e.bucket = l.bucket AND e.account_id = l.account_id
JOIN access.account AS a ON a.id = l.account_id
LEFT JOIN access.identity AS i ON i.account_id = l.account_id
JOIN ledger.asset AS t ON t.id = l.asset_id
WHERE (%(account_kind)s::text IS NULL OR a.kind = %(account_kind)s::text)
ORDER BY l.used::numeric / l.allowance DESC, l.used DESC, l.account_id, l.asset_id
LIMIT %(most)s::integer
OFFSET %(skipped)s::bigint;
