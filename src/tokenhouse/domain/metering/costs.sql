-- import_prices : int
-- Adds the operator's prices; their version.
SELECT metering.import_prices(
         %(provider)s::text[], %(model)s::text[], %(valid_from)s::timestamptz[], %(input_nanos)s::bigint[],
         %(cached_nanos)s::bigint[], %(output_nanos)s::bigint[]) AS version;

-- operator_prices : UpstreamPrice*
-- The operator's prices: of those that begin at the same time, the one of the last import.
SELECT DISTINCT ON (p.provider, p.model, p.valid_from)
  p.provider, p.model, p.valid_from, p.input_nanos, p.cached_nanos, p.output_nanos, p.version
FROM metering.upstream_price AS p
ORDER BY p.provider, p.model, p.valid_from, p.version DESC;

-- open_costs : OpenCost*
-- Uses whose cost was not looked up with these tables yet.
SELECT k.bucket::integer AS bucket, k.usage_id, k.provider, k.model, u.quantity, u.occurred_at
FROM metering.cost AS k
JOIN metering.usage AS u ON u.bucket = k.bucket AND u.id = k.usage_id
WHERE k.nanos IS NULL AND (k.tried IS NULL OR k.tried < %(tried)s::text OR k.tried > %(tried)s::text)
LIMIT %(most)s::integer;

-- missing_prices : MissingPrice*
-- Upstream models whose price no table has, those with the most uses first.
SELECT k.provider, k.model, count(*) AS uses, min(u.occurred_at) AS first_used_at, max(u.occurred_at) AS last_used_at
FROM metering.cost AS k
JOIN metering.usage AS u ON u.bucket = k.bucket AND u.id = k.usage_id
WHERE k.nanos IS NULL AND k.tried IS NOT NULL
GROUP BY k.provider, k.model
ORDER BY count(*) DESC, k.provider, k.model;
