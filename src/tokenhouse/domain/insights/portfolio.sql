-- models_on_offer : int
-- How many models can be seen and bought or used.
SELECT count(*) AS models FROM market.model AS m WHERE m.active AND m.archived_at IS NULL;

-- owned_models : OwnedModel*
-- What an account bought and still owns, and what each brought it, the highest earnings first.
SELECT m.external_id AS model_id, m.name, m.category, o.price_credits, o.bought_at, e.uses, e.credits, e.nanos,
       e.last_used_at
FROM market.ownership AS o
JOIN market.model AS m ON m.id = o.model_id
CROSS JOIN LATERAL (
  SELECT coalesce(sum(x.uses), 0)::bigint AS uses, coalesce(sum(x.credits), 0)::bigint AS credits,
         coalesce(sum(x.nanos), 0)::bigint AS nanos, max(x.last_used_at) AS last_used_at
  FROM earnings.model_earner AS x WHERE x.earner_id = o.account_id AND x.model_id = o.model_id
) AS e
WHERE o.account_id = %(account_id)s::bigint AND o.ended_at IS NULL
ORDER BY e.nanos DESC, o.id DESC;

-- models_to_buy : str*
-- Models that an account may still buy, the newest first: on offer, not its own, and not sold for good.
SELECT m.external_id AS id
FROM market.model AS m
WHERE m.active AND m.archived_at IS NULL
  AND NOT EXISTS (
    SELECT FROM market.ownership AS o
    WHERE o.model_id = m.id AND o.ended_at IS NULL
      AND (m.ownership = 'exclusive' OR o.account_id = %(account_id)s::bigint))
ORDER BY m.id DESC
LIMIT %(most)s::integer;
