-- model_facts : ModelFacts*
-- Every model that is not archived, or those of these numbers, and how many own it.
SELECT m.id, m.external_id AS model_id, m.name, m.category, m.active AND m.archived_at IS NULL AS on_offer, m.monetized,
       m.price_credits, m.ownership,
       (SELECT count(*) FROM market.ownership AS o WHERE o.model_id = m.id AND o.ended_at IS NULL) AS owners
FROM market.model AS m
WHERE m.archived_at IS NULL OR m.id = any(%(ids)s::bigint[]);

-- models_found : ModelFound*
-- The numbers of models by the app's ids, and whether an account earns by them.
SELECT m.id, m.external_id AS model_id, m.name, m.category,
       coalesce(m.creator_id = %(account_id)s::bigint, false)
         OR EXISTS (SELECT FROM market.ownership AS o
                    WHERE o.model_id = m.id AND o.account_id = %(account_id)s::bigint)
         OR EXISTS (SELECT FROM earnings.model_earner AS e
                    WHERE e.model_id = m.id AND e.earner_id = %(account_id)s::bigint) AS own
FROM market.model AS m
WHERE m.external_id = any(%(model_ids)s::text[]);

-- model_names : ModelName*
-- How models are called.
SELECT m.id, m.external_id AS model_id, m.name FROM market.model AS m WHERE m.id = any(%(ids)s::bigint[]);

-- models_between : ModelUse*
-- Others' uses of every model, in two times: part 1, and part 0 before it.
SELECT u.part, u.model_id, u.uses, u.credits, u.nanos
FROM insights.models_between(%(grains)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(points)s::integer[])
  AS u;

-- categories : CategoryRow*
-- What others' uses of the models of each category came to, the most used first.
WITH used AS (
  SELECT u.model_id, coalesce(sum(u.uses) FILTER (WHERE u.part = 1), 0)::bigint AS uses,
         coalesce(sum(u.credits) FILTER (WHERE u.part = 1), 0)::bigint AS credits,
         coalesce(sum(u.nanos) FILTER (WHERE u.part = 1), 0)::bigint AS nanos,
         coalesce(sum(u.uses) FILTER (WHERE u.part = 0), 0)::bigint AS uses_before
  FROM insights.models_between(%(grains)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(points)s::integer[])
    AS u
  GROUP BY u.model_id
)
SELECT m.category, count(*) FILTER (WHERE m.active AND m.archived_at IS NULL) AS on_offer,
       count(*) FILTER (WHERE u.uses > 0) AS used, coalesce(sum(u.uses), 0)::bigint AS uses,
       coalesce(sum(u.credits), 0)::bigint AS credits, coalesce(sum(u.nanos), 0)::bigint AS nanos,
       coalesce(sum(u.uses_before), 0)::bigint AS uses_before
FROM market.model AS m
LEFT JOIN used AS u ON u.model_id = m.id
WHERE m.archived_at IS NULL OR u.model_id IS NOT NULL
GROUP BY m.category
ORDER BY 4 DESC, 1;

-- models_by_day : ModelDay*
-- Others' uses of models day by day.
SELECT u.model_id, u.at, u.uses, u.credits, u.nanos
FROM insights.models_by_day(
  %(account_id)s::bigint, %(models)s::bigint[], %(since)s::timestamptz, %(until)s::timestamptz
) AS u;

-- users_between : ModelUsers*
-- How many used each of these models.
SELECT u.model_id, u.users
FROM insights.users_between(
  %(account_id)s::bigint, %(models)s::bigint[], %(grains)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]
) AS u;

-- creators_between : CreatorSums*
-- Who earned by others' uses in a time, and what they did in the time before.
WITH found AS (
  SELECT e.earner_id,
         coalesce(sum(e.uses) FILTER (WHERE e.part = 1), 0)::bigint AS uses,
         coalesce(sum(e.credits) FILTER (WHERE e.part = 1), 0)::bigint AS credits,
         coalesce(sum(e.nanos) FILTER (WHERE e.part = 1), 0)::bigint AS nanos,
         coalesce(sum(e.uses) FILTER (WHERE e.part = 0), 0)::bigint AS uses_before,
         coalesce(sum(e.nanos) FILTER (WHERE e.part = 0), 0)::bigint AS nanos_before
  FROM insights.earners_between(
    %(grains)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(points)s::integer[]
  ) AS e
  GROUP BY e.earner_id
), page AS (
  SELECT f.* FROM found AS f
  WHERE f.uses <> 0 OR f.nanos <> 0 OR f.uses_before <> 0 OR f.nanos_before <> 0
  ORDER BY CASE %(sort)s::text WHEN 'uses' THEN f.uses WHEN 'credits' THEN f.credits ELSE f.nanos END DESC,
           f.nanos DESC, f.earner_id
  LIMIT %(most)s::integer
  OFFSET %(skipped)s::bigint
)
SELECT i.external_id AS account_id, i.name, p.uses, p.credits, p.nanos, p.uses_before, p.nanos_before,
       (SELECT count(*) FROM market.model AS m
        WHERE m.creator_id = p.earner_id
           OR EXISTS (SELECT FROM market.ownership AS o
                      WHERE o.model_id = m.id AND o.account_id = p.earner_id AND o.ended_at IS NULL)) AS models,
       (SELECT coalesce(sum(e.nanos), 0)::bigint FROM earnings.model_earner AS e WHERE e.earner_id = p.earner_id)
         AS accrued
FROM page AS p
LEFT JOIN access.identity AS i ON i.account_id = p.earner_id
ORDER BY CASE %(sort)s::text WHEN 'uses' THEN p.uses WHEN 'credits' THEN p.credits ELSE p.nanos END DESC,
         p.nanos DESC, p.earner_id;

-- allowance_now : AllowanceNow*
-- What an account used of this period's allowances, and how far the period is, in seconds.
SELECT t.code AS credit_type, sum(l.amount - l.lapsed)::bigint AS allowance,
       sum(l.amount - l.lapsed - l.remaining)::bigint AS used, e.renews_at,
       date_part('epoch', clock_timestamp() - e.period_started_at)::bigint AS elapsed_seconds,
       date_part('epoch', e.renews_at - e.period_started_at)::bigint AS period_seconds
FROM wallets.enrolment AS e
JOIN wallets.lot AS l
  ON l.bucket = e.bucket AND l.account_id = e.account_id AND l.period_started_at = e.period_started_at
  AND l.source = 'allowance'
JOIN ledger.asset AS t ON t.id = l.asset_id
WHERE e.account_id = %(account_id)s::bigint AND e.renews_at > clock_timestamp()
GROUP BY t.code, e.renews_at, e.period_started_at;
