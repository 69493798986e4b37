-- deployment : Deployment
SELECT d.buckets::integer AS buckets FROM access.deployment AS d;

-- create_account : int
-- Makes an account with its identity; returns its number.
SELECT access.create_account(%(external_id)s::text, %(kind)s::text, %(name)s::text, %(email)s::text,
                             %(time_zone)s::text) AS id;

-- update_account : nothing
SELECT access.update_account(%(id)s::bigint, %(name)s::text, %(email)s::text, %(time_zone)s::text);

-- accounts : Account*
-- Accounts by the app's ids.
SELECT a.id, a.bucket::integer AS bucket, i.external_id, a.kind, i.name, i.email, a.time_zone, a.created_at
FROM access.identity AS i
JOIN access.account AS a ON a.id = i.account_id
WHERE i.external_id = any(%(external_ids)s::text[]);

-- account_page : Account*
-- All accounts, the newest first.
SELECT a.id, a.bucket::integer AS bucket, i.external_id, a.kind, i.name, i.email, a.time_zone, a.created_at
FROM access.identity AS i
JOIN access.account AS a ON a.id = i.account_id
WHERE (%(before)s::bigint IS NULL OR a.id < %(before)s::bigint)
  AND (%(kind)s::text IS NULL OR a.kind = %(kind)s::text)
ORDER BY a.id DESC
LIMIT %(most)s::integer;

-- identities : IdentityRow*
-- What never changes of accounts, by the app's ids.
SELECT a.id, a.bucket::integer AS bucket, i.external_id, a.kind
FROM access.identity AS i
JOIN access.account AS a ON a.id = i.account_id
WHERE i.external_id = any(%(external_ids)s::text[]);

-- set_member : nothing
SELECT access.set_member(%(organization_id)s::bigint, %(user_id)s::bigint, %(role)s::text);

-- members_of : Member*
-- The members of an organization, the first first.
SELECT o.external_id AS organization_id, u.external_id AS user_id, u.name, m.role, m.created_at
FROM access.member AS m
LEFT JOIN access.identity AS o ON o.account_id = m.organization_id
LEFT JOIN access.identity AS u ON u.account_id = m.user_id
WHERE m.organization_id = %(organization_id)s::bigint
ORDER BY m.created_at, m.user_id;

-- organizations_of : MemberOf*
SELECT m.organization_id, m.role FROM access.member AS m WHERE m.user_id = %(user_id)s::bigint;

-- create_key : datetime
SELECT access.create_key(%(id)s::uuid, %(account_id)s::bigint, %(name)s::text, %(digest)s::bytea, %(hint)s::text,
                         %(scopes)s::text[], %(expires_at)s::timestamptz) AS created_at;

-- keys_of : ApiKeyView*
-- The keys of an account, or the platform's; the newest first.
SELECT k.id, k.name, k.hint, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
       k.rate_limit_per_minute
FROM access.api_key AS k
WHERE k.account_id = %(account_id)s::bigint OR (%(account_id)s::bigint IS NULL AND k.account_id IS NULL)
ORDER BY k.id DESC;

-- revoke_key : bool
SELECT access.revoke_key(%(account_id)s::bigint, %(id)s::uuid) AS revoked;

-- found_keys : KeyFound*
-- Live keys by their digests, with whose they are and the organizations that they may act for.
SELECT k.digest, k.id, k.account_id, i.external_id, a.bucket::integer AS bucket, a.kind, k.scopes, k.expires_at,
       k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - interval '1 minute' AS stale,
       (SELECT json_object_agg(oi.external_id, json_build_array(o.id, o.bucket, m.role))
        FROM access.member AS m
        JOIN access.account AS o ON o.id = m.organization_id
        JOIN access.identity AS oi ON oi.account_id = o.id
        WHERE m.user_id = k.account_id) AS memberships,
       k.rate_limit_per_minute
FROM access.api_key AS k
LEFT JOIN access.account AS a ON a.id = k.account_id
LEFT JOIN access.identity AS i ON i.account_id = k.account_id
WHERE k.digest = any(%(digests)s::bytea[])
  AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp());

-- touch_keys : nothing
SELECT access.touch_keys(%(ids)s::uuid[]);

-- limit_key : nothing
SELECT access.limit_key(%(id)s::uuid, %(per_minute)s::integer);

-- take_hits : Hits*
-- Counts hits, for each key as far as its limit allows.
SELECT t.key, t.granted, t.used, t.frees_seconds
FROM access.take_hits(%(keys)s::text[], %(most)s::integer[], %(seconds)s::integer[], %(wanted)s::integer[]) AS t;

-- sweep_rate_windows : int
SELECT access.sweep_rate_windows() AS swept;
