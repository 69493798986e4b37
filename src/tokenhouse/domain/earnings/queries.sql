-- model_earnings : ModelEarnings*
-- What an earner's models earned, those that earned most first; models that were never used are left out.
SELECT m.external_id AS model_id, m.name AS model_name, m.category AS model_category, c.name AS character_name,
       c.image_url AS character_image, e.uses, e.credits, e.nanos, e.last_used_at, e.created_at, e.updated_at
FROM (
  SELECT x.model_id, sum(x.uses)::bigint AS uses, sum(x.credits)::bigint AS credits, sum(x.nanos)::bigint AS nanos,
         max(x.last_used_at) AS last_used_at, min(x.created_at) AS created_at, max(x.updated_at) AS updated_at
  FROM earnings.model_earner AS x
  WHERE x.earner_id = %(earner_id)s::bigint
  GROUP BY x.model_id
) AS e
JOIN market.model AS m ON m.id = e.model_id
LEFT JOIN LATERAL (
  SELECT x.name, x.image_url FROM market.character AS x WHERE x.model_id = m.id ORDER BY x.id LIMIT 1
) AS c ON true
WHERE e.uses > 0
ORDER BY e.nanos DESC, m.id DESC;

-- accrued : int
-- What an earner is owed, in nano-dollars, over all buckets.
SELECT coalesce(sum(a.balance), 0)::bigint AS nanos
FROM access.deployment AS d
CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
JOIN ledger.account AS a
  ON a.bucket = b.bucket AND a.owner_id = %(earner_id)s::bigint AND a.asset_id = 0 AND a.role = 'earnings';
