-- plan_anew : str
-- A plan for every account of its own: one for all would take no account of how many rows each has.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true) AS mode;

-- uses : Line*
-- Charges, captures and reports of an account, the newest first, from before one and not before the floor.
SELECT u.id, 0 AS leg, CASE u.kind WHEN 'report' THEN 'report' ELSE 'usage' END AS kind, u.occurred_at,
       u.recorded_at AS created_at, a.code AS credit_type, -u.amount AS credits,
       u.credits AS used, u.balance_after AS balance, NULL::bigint AS nanos, m.external_id AS model_id,
       c.external_id AS character_id, u.operation, u.usage_type, u.user_label AS user_id, u.id AS charge_id,
       NULL::text AS note, u.upstream_model, u.provider, u.cost_nanos,
       (SELECT sum(r.amount) FROM metering.reversal AS r
        WHERE r.bucket = u.bucket AND r.usage_id = u.id)::bigint AS reversed, u.hold_id
FROM metering.usage AS u
JOIN ledger.asset AS a ON a.id = u.asset_id
LEFT JOIN market.model AS m ON m.id = u.model_id
LEFT JOIN market.character AS c ON c.id = u.character_id
WHERE u.bucket = %(bucket)s::smallint AND u.account_id = %(account_id)s::bigint
  AND u.id < %(before)s::uuid AND u.id >= %(floor)s::uuid
  AND (%(kinds)s::text[] IS NULL
       OR CASE u.kind WHEN 'report' THEN 'report' ELSE 'usage' END = any(%(kinds)s::text[]))
  AND (%(least)s::bigint IS NULL OR u.amount >= %(least)s::bigint)
  AND (%(since)s::timestamptz IS NULL OR u.occurred_at >= %(since)s::timestamptz)
  AND (%(until)s::timestamptz IS NULL OR u.occurred_at < %(until)s::timestamptz)
  AND (%(model)s::bigint IS NULL OR u.model_id = %(model)s::bigint)
  AND (%(operation)s::text IS NULL OR u.operation = %(operation)s::text)
  AND (%(user)s::text IS NULL OR u.user_label = %(user)s::text)
  AND (%(text)s::text IS NULL OR strpos(lower(concat_ws(' ', 'usage', u.operation, u.usage_type, m.external_id, m.name,
         c.external_id, u.user_label, u.upstream_model, u.provider, a.code, u.id)), %(text)s::text) > 0)
ORDER BY u.id DESC
LIMIT %(most)s::integer;

-- moves : Line*
-- What else moved an account's credits: grants, allowances and their expiry, purchases, reversals. As above. LIMIT: a
-- look-up for each row, never the whole table at once.
SELECT t.entry_id AS id, t.leg::integer AS leg, CASE t.kind WHEN 'lapse' THEN 'expiry' ELSE t.kind END AS kind,
       t.recorded_at AS occurred_at, t.recorded_at AS created_at, a.code AS credit_type,
       CASE WHEN t.credit_id > 0 THEN t.amount ELSE -t.amount END AS credits, NULL::bigint AS used,
       NULL::bigint AS balance, NULL::bigint AS nanos, coalesce(m.external_id, n.external_id) AS model_id,
       NULL::text AS character_id, u.operation, u.usage_type::text AS usage_type, u.user_label AS user_id,
       r.usage_id AS charge_id, coalesce(r.reason, l.note, l.source) AS note, NULL::text AS upstream_model,
       NULL::text AS provider, NULL::bigint AS cost_nanos, NULL::bigint AS reversed, NULL::uuid AS hold_id
FROM ledger.transfer AS t
JOIN ledger.asset AS a ON a.id = t.asset_id
LEFT JOIN wallets.lot AS l
  ON l.bucket = t.bucket AND l.account_id = t.owner_id AND l.asset_id = t.asset_id AND l.id = t.lot_id
LEFT JOIN LATERAL (
  SELECT x.* FROM metering.reversal AS x
  WHERE t.kind = 'reversal' AND x.bucket = t.bucket AND x.id = t.entry_id LIMIT 1
) AS r ON true
LEFT JOIN LATERAL (
  SELECT x.* FROM metering.usage AS x WHERE x.bucket = r.bucket AND x.id = r.usage_id LIMIT 1
) AS u ON true
LEFT JOIN market.model AS n ON n.id = u.model_id
LEFT JOIN market.ownership AS o ON t.kind = 'purchase' AND o.account_id = t.owner_id AND o.entry_id = t.entry_id
LEFT JOIN market.model AS m ON m.id = o.model_id
WHERE t.bucket = %(bucket)s::smallint AND t.owner_id = %(account_id)s::bigint
  AND t.asset_id <> 0 AND t.kind NOT IN ('charge', 'capture')
  AND t.entry_id <= %(before)s::uuid AND t.entry_id >= %(floor)s::uuid
  AND (t.entry_id, t.leg) < (%(before)s::uuid, %(leg)s::integer)
  AND (%(kinds)s::text[] IS NULL OR CASE t.kind WHEN 'lapse' THEN 'expiry' ELSE t.kind END = any(%(kinds)s::text[]))
  AND (%(least)s::bigint IS NULL OR t.amount >= %(least)s::bigint)
  AND (%(since)s::timestamptz IS NULL OR t.recorded_at >= %(since)s::timestamptz)
  AND (%(until)s::timestamptz IS NULL OR t.recorded_at < %(until)s::timestamptz)
  AND (%(model)s::bigint IS NULL OR coalesce(u.model_id, o.model_id) = %(model)s::bigint)
  AND (%(operation)s::text IS NULL OR u.operation = %(operation)s::text)
  AND (%(user)s::text IS NULL OR u.user_label = %(user)s::text)
  AND (%(text)s::text IS NULL OR strpos(lower(concat_ws(' ', CASE t.kind WHEN 'lapse' THEN 'expiry' ELSE t.kind END,
         u.operation, u.usage_type, m.external_id, m.name, n.external_id, n.name, u.user_label, r.reason, l.note,
         l.source, a.code, t.entry_id, r.usage_id)), %(text)s::text) > 0)
ORDER BY t.entry_id DESC, t.leg DESC
LIMIT %(most)s::integer;

-- dollars : Line*
-- What moved an account's dollars. As above.
SELECT d.id, d.leg, d.kind, d.occurred_at, d.created_at, NULL::text AS credit_type, NULL::bigint AS credits, d.used,
       NULL::bigint AS balance, d.nanos, d.model_id, NULL::text AS character_id, d.operation, d.usage_type, d.user_id,
       d.charge_id, NULL::text AS note, NULL::text AS upstream_model, NULL::text AS provider,
       NULL::bigint AS cost_nanos, NULL::bigint AS reversed, NULL::uuid AS hold_id
FROM insights.dollars_of(
  %(account_id)s::bigint, %(before)s::uuid, %(leg)s::integer, %(floor)s::uuid, %(since)s::timestamptz,
  %(until)s::timestamptz, %(kinds)s::text[], %(model)s::bigint, %(operation)s::text, %(user)s::text, %(text)s::text,
  %(least)s::bigint, %(most)s::integer
) AS d;

-- floor_of : UUID
-- The id so many entries before one, of that source where they reach it first: what a search looks at in one go. None:
-- there are fewer.
SELECT f.id
FROM (
  (SELECT u.id FROM metering.usage AS u
   WHERE %(uses)s::boolean AND u.bucket = %(bucket)s::smallint AND u.account_id = %(account_id)s::bigint AND u.id < %(before)s::uuid
   ORDER BY u.id DESC LIMIT 1 OFFSET %(many)s::integer)
  UNION ALL
  (SELECT t.entry_id FROM ledger.transfer AS t
   WHERE %(moves)s::boolean AND t.bucket = %(bucket)s::smallint AND t.owner_id = %(account_id)s::bigint AND t.asset_id <> 0
     AND t.kind NOT IN ('charge', 'capture') AND t.entry_id < %(before)s::uuid
   ORDER BY t.entry_id DESC LIMIT 1 OFFSET %(many)s::integer)
  UNION ALL
  SELECT x.entry_id
  FROM access.deployment AS d
  CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
  CROSS JOIN LATERAL (
    SELECT t.entry_id FROM ledger.transfer AS t
    WHERE %(dollars)s::boolean AND t.bucket = b.bucket AND t.owner_id = %(account_id)s::bigint AND t.asset_id = 0
      AND t.entry_id < %(before)s::uuid
    ORDER BY t.entry_id DESC LIMIT 1 OFFSET %(many)s::integer
  ) AS x
) AS f (id)
ORDER BY f.id DESC
LIMIT 1;
