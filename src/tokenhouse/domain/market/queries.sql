-- create_model : int
-- Makes a model with its first price; returns its number.
SELECT market.create_model(
         %(external_id)s::text, %(name)s::text, %(category)s::text, %(description)s::text, %(features)s::jsonb,
         %(pricing)s::jsonb, %(upstream_model)s::text, %(provider)s::text, %(price_credits)s::bigint,
         %(premium)s::boolean, %(active)s::boolean, %(monetized)s::boolean, %(creator)s::bigint,
         %(ownership)s::text, %(creator_share_bps)s::integer, %(earnings_policy)s::text) AS id;

-- update_model : nothing
SELECT market.update_model(
         %(id)s::bigint, %(name)s::text, %(category)s::text, %(description)s::text, %(features)s::jsonb,
         %(pricing)s::jsonb, %(upstream_model)s::text, %(provider)s::text, %(price_credits)s::bigint,
         %(premium)s::boolean, %(active)s::boolean, %(monetized)s::boolean, %(creator)s::bigint,
         %(ownership)s::text, %(creator_share_bps)s::integer, %(earnings_policy)s::text);

-- lock_model : int
-- Locks a model that is not archived; returns how many own it, null where there is no such model.
SELECT market.lock_model(%(external_id)s::text) AS owners;

-- archive_model : nothing
SELECT market.archive_model(%(id)s::bigint);

-- models : Model*
-- Models by the app's ids, archived ones too.
SELECT m.id, m.external_id, m.name, m.category, m.description, m.features, p.pricing, m.pricing_version,
       m.upstream_model, m.provider, m.price_credits, m.premium, m.active, m.monetized, m.creator_id AS creator,
       i.external_id AS creator_id, m.creator_share_bps, m.ownership, m.earnings_policy,
       c.external_id AS character_id, c.name AS character_name, c.image_url AS character_image, m.archived_at,
       m.created_at, m.updated_at
FROM market.model AS m
JOIN market.pricing AS p ON p.model_id = m.id AND p.version = m.pricing_version
LEFT JOIN access.identity AS i ON i.account_id = m.creator_id
LEFT JOIN LATERAL (
  SELECT x.external_id, x.name, x.image_url FROM market.character AS x WHERE x.model_id = m.id ORDER BY x.id LIMIT 1
) AS c ON true
WHERE m.external_id = any(%(external_ids)s::text[]);

-- model_page : str*
-- The app's ids of models that are not archived, the newest first.
SELECT m.external_id
FROM market.model AS m
WHERE m.archived_at IS NULL
  AND (%(before)s::bigint IS NULL OR m.id < %(before)s::bigint)
  AND (%(category)s::text IS NULL OR m.category = %(category)s::text)
  AND (%(active)s::boolean IS NULL OR m.active = %(active)s::boolean)
ORDER BY m.id DESC
LIMIT %(most)s::integer;

-- pricing_versions : PricingVersion*
-- What a use of a model cost, the latest first.
SELECT p.version, p.pricing, p.created_at
FROM market.pricing AS p
WHERE p.model_id = %(model_id)s::bigint
ORDER BY p.version DESC;

-- create_character : datetime
SELECT market.create_character(%(external_id)s::text, %(name)s::text, %(image_url)s::text, %(model_id)s::bigint)
  AS created_at;

-- find_character : Character
SELECT c.external_id, c.name, c.image_url, m.external_id AS model_id, c.created_at
FROM market.character AS c
JOIN market.model AS m ON m.id = c.model_id
WHERE c.external_id = %(external_id)s::text;

-- owned_by : Owned*
-- What an account bought and still owns, the latest first.
SELECT o.id, m.external_id AS model_id, m.name, m.category, o.price_credits, o.bought_at
FROM market.ownership AS o
JOIN market.model AS m ON m.id = o.model_id
WHERE o.account_id = %(account_id)s::bigint AND o.ended_at IS NULL
ORDER BY o.id DESC;

-- lock_for_sale : Sale
-- Locks a model against being sold twice, as seen under the lock.
SELECT s.active, s.price_credits, s.ownership, s.owners, s.owned
FROM market.lock_for_sale(%(model_id)s::bigint, %(account_id)s::bigint) AS s;

-- own : nothing
SELECT market.own(%(model_id)s::bigint, %(account_id)s::bigint, %(price_credits)s::bigint, %(entry_id)s::uuid,
                  %(at)s::timestamptz);
