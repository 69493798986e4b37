-- cost_uses : int
-- Writes what uses cost; of how many it was not known before.
SELECT insights.cost_uses(
         %(buckets)s::smallint[], %(uses)s::uuid[], %(nanos)s::bigint[], %(sources)s::text[], %(versions)s::text[],
         %(tried)s::text) AS uses;

-- today : date
SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date AS today;

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
  FROM insights.spending_since('all', %(first)s::date, %(last)s::date) AS n
) AS p
GROUP BY p.at
ORDER BY p.at;

-- spend_by : SubjectSpend*
-- What uses came to by operation, model, account …, the most of what is asked for first. name: a model's, an account's.
WITH found AS (
  SELECT p.owner_id, p.subject, sum(p.uses)::bigint AS uses, sum(p.credits)::bigint AS credits,
         sum(p.earned)::bigint AS earned, sum(p.revenue) AS revenue, sum(p.cost)::bigint AS cost,
         sum(p.costed)::bigint AS costed
  FROM (
    SELECT s.owner_id, s.subject, s.uses, s.credits, s.earned, s.revenue, s.cost, s.costed
    FROM access.deployment AS d
    CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
    CROSS JOIN unnest(%(grains)s::text[], %(starts)s::date[], %(ends)s::date[]) AS g (grain, first, beyond)
    JOIN insights.spend AS s
      ON s.bucket = b.bucket AND s.kind = %(kind)s::text AND s.grain = g.grain AND s.at >= g.first AND s.at < g.beyond
      AND (SELECT w.upto > 0 AND w.cluster = (SELECT c.system_identifier FROM pg_control_system() AS c)::text
           FROM insights.watermark AS w)
    UNION ALL
    SELECT n.owner_id, n.subject, n.uses, n.credits, n.earned, n.revenue, n.cost, n.costed
    FROM insights.spending_since(%(kind)s::text, %(first)s::date, %(last)s::date) AS n
  ) AS p
  GROUP BY p.owner_id, p.subject
)
SELECT CASE WHEN %(kind)s::text = 'account' THEN i.external_id WHEN %(kind)s::text = 'model' THEN m.external_id
            ELSE nullif(p.subject, '') END AS id,
       coalesce(i.name, m.name) AS name, p.uses, p.credits, p.earned, p.revenue, p.cost, p.costed
FROM (
  SELECT f.*, row_number() OVER (ORDER BY f.rank DESC, f.uses DESC, f.owner_id, f.subject) AS place
  FROM (
    SELECT x.*, CASE %(sort)s::text
                  WHEN 'uses' THEN x.uses WHEN 'credits' THEN x.credits WHEN 'earnings' THEN x.earned
                  WHEN 'revenue' THEN x.revenue WHEN 'cost' THEN x.cost
                  ELSE x.revenue - (x.cost + x.earned)::numeric * 1000000000 END AS rank
    FROM found AS x
    WHERE x.uses <> 0 OR x.credits <> 0 OR x.earned <> 0 OR x.revenue <> 0 OR x.cost <> 0
  ) AS f
  WHERE %(account_kind)s::text IS NULL
     OR EXISTS (SELECT FROM access.account AS a WHERE a.id = f.owner_id AND a.kind = %(account_kind)s::text)
  ORDER BY f.rank DESC, f.uses DESC, f.owner_id, f.subject
  LIMIT %(most)s::integer
) AS p
LEFT JOIN access.identity AS i ON p.owner_id > 0 AND i.account_id = p.owner_id
LEFT JOIN market.model AS m ON m.id = CASE WHEN %(kind)s::text = 'model' THEN nullif(p.subject, '')::bigint END
ORDER BY p.place;

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
