-- create_model : int
-- Makes a model with its first price; returns its number.
SELECT market.create_model(
         %(external_id)s::text, %(name)s::text, %(category)s::text, %(description)s::text, %(features)s::jsonb,
         %(pricing)s::jsonb, %(upstream_model)s::text, %(provider)s::text, %(price_credits)s::bigint,
         %(premium)s::boolean, %(active)s::boolean, %(monetized)s::boolean, %(creator)s::bigint,
         %(ownership)s::text, %(creator_share_bps)s::integer, %(earnings_policy)s::text,
         %(image_url)s::text, %(approval)s::text) AS id;

-- update_model : nothing
SELECT market.update_model(
         %(id)s::bigint, %(name)s::text, %(category)s::text, %(description)s::text, %(features)s::jsonb,
         %(pricing)s::jsonb, %(upstream_model)s::text, %(provider)s::text, %(price_credits)s::bigint,
         %(premium)s::boolean, %(active)s::boolean, %(monetized)s::boolean, %(creator)s::bigint,
         %(ownership)s::text, %(creator_share_bps)s::integer, %(earnings_policy)s::text,
         %(image_url)s::text, %(approval)s::text);

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
       c.external_id AS character_id, c.name AS character_name, c.image_url AS character_image, m.image_url,
       m.approval, coalesce(r.stars, 0) AS stars, coalesce(r.reviews, 0) AS reviews, m.archived_at, m.created_at,
       m.updated_at
FROM market.model AS m
JOIN market.pricing AS p ON p.model_id = m.id AND p.version = m.pricing_version
LEFT JOIN access.identity AS i ON i.account_id = m.creator_id
LEFT JOIN market.rating AS r ON r.model_id = m.id
LEFT JOIN LATERAL (
  SELECT x.external_id, x.name, x.image_url FROM market.character AS x
  WHERE x.model_id = m.id AND x.archived_at IS NULL ORDER BY x.id LIMIT 1
) AS c ON true
WHERE m.external_id = any(%(external_ids)s::text[]);

-- model_page : ModelPlace*
-- Models that are not archived, as they are wanted, in the order of rank, word and the newest first.
SELECT x.external_id, x.rank, x.word, x.id
FROM (
  SELECT m.id, m.external_id,
         CASE %(sort)s::text WHEN 'price' THEN m.price_credits WHEN 'price_desc' THEN -m.price_credits
           WHEN 'rating' THEN coalesce(-(r.stars * 1000000 / r.reviews), 1) ELSE 0 END AS rank,
         (CASE WHEN %(sort)s::text = 'name' THEN lower(m.name) ELSE '' END) COLLATE "C" AS word
  FROM market.model AS m
  LEFT JOIN market.rating AS r ON %(sort)s::text = 'rating' AND r.model_id = m.id AND r.reviews > 0
  WHERE m.archived_at IS NULL
    AND (%(words)s::text IS NULL OR m.id IN (SELECT f.id FROM market.search(%(words)s::text) AS f (id)))
    AND (%(category)s::text IS NULL OR m.category = %(category)s::text)
    AND (%(premium)s::boolean IS NULL OR m.premium = %(premium)s::boolean)
    AND (%(active)s::boolean IS NULL OR m.active = %(active)s::boolean)
    AND (%(creator)s::bigint IS NULL OR m.creator_id = %(creator)s::bigint)
    AND (%(price_from)s::bigint IS NULL OR m.price_credits >= %(price_from)s::bigint)
    AND (%(price_to)s::bigint IS NULL OR m.price_credits <= %(price_to)s::bigint)
    AND (%(owner)s::bigint IS NULL OR m.id IN (
      SELECT o.model_id FROM market.ownership AS o WHERE o.account_id = %(owner)s::bigint AND o.ended_at IS NULL))
) AS x
WHERE %(after_id)s::bigint IS NULL
   OR (x.rank, x.word, -x.id) > (%(after_rank)s::bigint, %(after_word)s::text, -%(after_id)s::bigint)
ORDER BY x.rank, x.word, x.id DESC
LIMIT %(most)s::integer;

-- categories : Category*
-- The categories that have models, and how many.
SELECT m.category, count(*) AS models
FROM market.model AS m
WHERE m.archived_at IS NULL AND (%(active)s::boolean IS NULL OR m.active = %(active)s::boolean)
GROUP BY m.category
ORDER BY m.category;

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
WHERE c.external_id = %(external_id)s::text AND c.archived_at IS NULL;

-- character_page : CharacterPlace*
-- Characters, of one model or of all, the newest first.
SELECT c.id, c.external_id, c.name, c.image_url, m.external_id AS model_id, c.created_at
FROM market.character AS c
JOIN market.model AS m ON m.id = c.model_id
WHERE c.archived_at IS NULL
  AND (%(model_id)s::text IS NULL OR m.external_id = %(model_id)s::text)
  AND (%(before)s::bigint IS NULL OR c.id < %(before)s::bigint)
ORDER BY c.id DESC
LIMIT %(most)s::integer;

-- lock_character : nothing
-- Locks a character against other changes.
SELECT market.lock_character(%(external_id)s::text);

-- update_character : nothing
SELECT market.update_character(%(external_id)s::text, %(name)s::text, %(image_url)s::text, %(model_id)s::bigint);

-- archive_character : nothing
SELECT market.archive_character(%(external_id)s::text);

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

-- lock_ownership : Ownership
-- Locks a model, and reads an account's ownership of it.
SELECT o.id, o.live, o.refunded, o.price_credits, o.entry_id
FROM market.lock_ownership(%(model_id)s::bigint, %(account_id)s::bigint) AS o;

-- paid : LotPaid*
-- What a purchase took from grants, in burn order.
SELECT t.lot_id, t.asset_id::integer AS asset_id, t.amount, l.expires_at
FROM ledger.transfer AS t
JOIN wallets.lot AS l
  ON l.bucket = t.bucket AND l.account_id = t.owner_id AND l.asset_id = t.asset_id AND l.id = t.lot_id
WHERE t.bucket = %(bucket)s::smallint AND t.entry_id = %(entry_id)s::uuid AND t.kind = 'purchase'
ORDER BY t.leg;

-- refund_ownership : nothing
SELECT market.refund_ownership(%(id)s::bigint, %(entry_id)s::uuid, %(at)s::timestamptz);

-- transfer_ownership : nothing
SELECT market.transfer_ownership(%(id)s::bigint, %(account_id)s::bigint, %(at)s::timestamptz);

-- bring_forward : nothing
SELECT ledger.bring_forward(%(bucket)s::smallint, %(owner)s::bigint, %(asset)s::smallint, %(at)s::timestamptz);

-- earns : bool
-- Whether an account owns a model or made it.
SELECT coalesce(m.creator_id = %(account_id)s::bigint, false) OR o.id IS NOT NULL AS earns
FROM market.model AS m
LEFT JOIN market.ownership AS o
  ON o.model_id = m.id AND o.account_id = %(account_id)s::bigint AND o.ended_at IS NULL
WHERE m.id = %(model_id)s::bigint;

-- write_review : UUID
SELECT market.write_review(%(id)s::uuid, %(model_id)s::bigint, %(account_id)s::bigint, %(stars)s::smallint,
                           %(text)s::text, %(state)s::text) AS id;

-- remove_review : bool
-- False where there is none.
SELECT market.remove_review(%(model_id)s::bigint, %(account_id)s::bigint) AS there;

-- moderate_review : str
-- What it was before; null where there is none.
SELECT market.moderate_review(%(id)s::uuid, %(state)s::text) AS before;

-- reviews : Review*
-- Reviews that the reader may see, the newest first.
SELECT r.id, r.model_id, r.author, r.account_id, r.stars::integer AS stars, r.text, r.state, r.created_at, r.updated_at
FROM market.read_reviews(%(model_id)s::bigint, %(account_id)s::bigint, %(state)s::text, %(id)s::uuid,
                         %(before)s::uuid, %(most)s::integer) AS r;
