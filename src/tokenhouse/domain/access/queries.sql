-- deployment : Deployment
SELECT d.buckets::integer AS buckets FROM access.deployment AS d;

-- create_account : int
-- Makes an account with its identity; returns its number.
SELECT access.create_account(%(external_id)s::text, %(kind)s::text, %(name)s::text, %(email)s::text,
                             %(time_zone)s::text) AS id;

-- lock_account : nothing
SELECT access.lock_account(%(id)s::bigint);

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
SELECT k.id, k.name, k.hint, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.last_used_at, k.replaced_by,
       k.rate_limit_per_minute
FROM access.api_key AS k
WHERE k.account_id = %(account_id)s::bigint OR (%(account_id)s::bigint IS NULL AND k.account_id IS NULL)
ORDER BY k.id DESC;

-- revoke_key : bool
SELECT access.revoke_key(%(account_id)s::bigint, %(id)s::uuid) AS revoked;

-- key_by_id : KeyOwner
-- Whose a key is; the app's id is null for the platform's.
SELECT k.id, k.account_id, i.external_id, k.name, k.scopes, k.expires_at, k.rate_limit_per_minute
FROM access.api_key AS k
LEFT JOIN access.identity AS i ON i.account_id = k.account_id
WHERE k.id = %(id)s::uuid;

-- rotate_key : Rotated
-- Puts a new key in an old one's place.
SELECT r.outcome, r.made_at, r.old_ends_at
FROM access.rotate_key(%(id)s::uuid, %(new_id)s::uuid, %(digest)s::bytea, %(hint)s::text,
                       %(overlap_seconds)s::integer) AS r;

-- remove_member : bool
SELECT access.remove_member(%(organization_id)s::bigint, %(user_id)s::bigint) AS removed;

-- invite : Invited
SELECT i.made_at, i.ends_at
FROM access.invite(%(id)s::uuid, %(organization_id)s::bigint, %(email)s::text, %(role)s::text, %(digest)s::bytea,
                   %(invited_by)s::bigint, %(ttl_seconds)s::integer, %(most)s::integer) AS i;

-- invitations_of : Invitation*
-- The open invitations of an organization, the newest first.
SELECT i.id, i.email, i.role, i.created_at, i.expires_at
FROM access.invitation AS i
WHERE i.organization_id = %(organization_id)s::bigint AND i.expires_at > clock_timestamp()
ORDER BY i.created_at DESC, i.id DESC;

-- invitations_to : InvitedTo*
-- The invitations that were sent to an address of a person.
SELECT o.external_id AS organization, i.role, i.created_at, i.expires_at
FROM access.invitation AS i
JOIN access.identity AS o ON o.account_id = i.organization_id
WHERE i.email IN (
  SELECT lower(w.email) FROM access.identity AS w WHERE w.account_id = %(account_id)s::bigint
  UNION ALL
  SELECT lower(c.email) FROM access.credential AS c WHERE c.account_id = %(account_id)s::bigint
)
ORDER BY i.created_at, o.external_id;

-- revoke_invitation : bool
SELECT access.revoke_invitation(%(organization_id)s::bigint, %(id)s::uuid) AS revoked;

-- accept_invitation : Accepted
-- Accepts once; nulls where there is nothing to accept.
SELECT a.organization_id, a.role
FROM access.accept_invitation(%(digest)s::bytea, %(account_id)s::bigint) AS a;

-- accounts_by_number : Account*
-- Accounts by their numbers.
SELECT a.id, a.bucket::integer AS bucket, i.external_id, a.kind, i.name, i.email, a.time_zone, a.created_at
FROM access.account AS a
JOIN access.identity AS i ON i.account_id = a.id
WHERE a.id = any(%(ids)s::bigint[]);

-- erased_lately : int*
-- The numbers of those erased in the last hour.
SELECT a.id FROM access.account AS a WHERE a.erased_at > clock_timestamp() - interval '1 hour';

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

-- credential_of_email : Credential
-- How the person of an e-mail signs in.
SELECT c.account_id, a.bucket::integer AS bucket, i.external_id, i.name, c.email, c.hash,
       c.verified_at IS NOT NULL AS verified, c.disabled_at IS NOT NULL AS disabled, c.platform_role
FROM access.credential AS c
JOIN access.account AS a ON a.id = c.account_id
JOIN access.identity AS i ON i.account_id = c.account_id
WHERE c.email = %(email)s::text;

-- credential_of_account : Credential
SELECT c.account_id, a.bucket::integer AS bucket, i.external_id, i.name, c.email, c.hash,
       c.verified_at IS NOT NULL AS verified, c.disabled_at IS NOT NULL AS disabled, c.platform_role
FROM access.credential AS c
JOIN access.account AS a ON a.id = c.account_id
JOIN access.identity AS i ON i.account_id = c.account_id
WHERE c.account_id = %(account_id)s::bigint;

-- add_credential : bool
SELECT access.add_credential(%(account_id)s::bigint, %(email)s::text, %(hash)s::text, %(verified)s::boolean) AS added;

-- set_password : bool
SELECT access.set_password(%(account_id)s::bigint, %(hash)s::text, %(but)s::uuid) AS known;

-- change_password : bool
SELECT access.change_password(%(account_id)s::bigint, %(old)s::text, %(new)s::text) AS changed;

-- rehash : nothing
SELECT access.rehash(%(account_id)s::bigint, %(old)s::text, %(new)s::text);

-- set_platform_role : bool
SELECT access.set_platform_role(%(account_id)s::bigint, %(role)s::text) AS known;

-- set_disabled : bool
SELECT access.set_disabled(%(account_id)s::bigint, %(disabled)s::boolean) AS known;

-- issue_token : bool
SELECT access.issue_token(%(digest)s::bytea, %(account_id)s::bigint, %(purpose)s::text, %(seconds)s::integer,
                          %(most)s::integer) AS issued;

-- link : LinkFound
-- Whom a mailed link belongs to that can still be used.
SELECT t.account_id, c.email, i.name
FROM access.mail_token AS t
JOIN access.credential AS c ON c.account_id = t.account_id
JOIN access.identity AS i ON i.account_id = t.account_id
WHERE t.digest = %(digest)s::bytea AND t.purpose = %(purpose)s::text
  AND t.used_at IS NULL AND t.expires_at > clock_timestamp() AND c.disabled_at IS NULL;

-- confirm_email : int
-- Whose e-mail a link confirmed; null where the link does not live.
SELECT access.confirm_email(%(digest)s::bytea) AS account_id;

-- reset_password : int
SELECT access.reset_password(%(digest)s::bytea, %(hash)s::text) AS account_id;

-- open_session : bool
SELECT access.open_session(%(id)s::uuid, %(account_id)s::bigint, %(digest)s::bytea, %(seconds)s::integer,
                           %(address)s::text, %(user_agent)s::text, %(instead)s::bytea) AS opened;

-- found_sessions : SessionFound*
-- Live sessions by their digests, with whose they are and the organizations that they may act for.
SELECT s.digest, s.id, s.account_id, a.bucket::integer AS bucket, i.external_id, a.kind, i.name, c.email,
       c.verified_at IS NOT NULL AS verified, c.platform_role,
       s.seen_at < clock_timestamp() - interval '1 minute' AS stale,
       (SELECT json_object_agg(oi.external_id, json_build_array(o.id, o.bucket, m.role))
        FROM access.member AS m
        JOIN access.account AS o ON o.id = m.organization_id
        JOIN access.identity AS oi ON oi.account_id = o.id
        WHERE m.user_id = s.account_id) AS memberships
FROM access.session AS s
JOIN access.credential AS c ON c.account_id = s.account_id
JOIN access.account AS a ON a.id = s.account_id
JOIN access.identity AS i ON i.account_id = s.account_id
WHERE s.digest = any(%(digests)s::bytea[])
  AND s.revoked_at IS NULL AND c.disabled_at IS NULL AND s.expires_at > clock_timestamp()
  AND s.seen_at > clock_timestamp() - make_interval(secs => %(idle_seconds)s::integer);

-- sessions_of : SessionView*
-- The live sessions of a person, the newest first.
SELECT s.id, s.created_at, s.seen_at, s.expires_at, s.address, s.user_agent
FROM access.session AS s
WHERE s.account_id = %(account_id)s::bigint AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()
  AND s.seen_at > clock_timestamp() - make_interval(secs => %(idle_seconds)s::integer)
ORDER BY s.id DESC;

-- kept_sessions : SessionView*
-- All sessions of a person that are kept, those that ended too, the newest first.
SELECT s.id, s.created_at, s.seen_at, s.expires_at, s.address, s.user_agent
FROM access.session AS s
WHERE s.account_id = %(account_id)s::bigint
ORDER BY s.id DESC;

-- touch_sessions : nothing
SELECT access.touch_sessions(%(ids)s::uuid[]);

-- end_session : bool
SELECT access.end_session(%(account_id)s::bigint, %(id)s::uuid) AS ended;

-- end_sessions : int
SELECT access.end_sessions(%(account_id)s::bigint, %(but)s::uuid) AS ended;

-- forget_sessions : int
SELECT access.forget_sessions() AS gone;

-- external : int
-- The account that a person of a provider is tied to.
SELECT e.account_id FROM access.external_identity AS e
WHERE e.issuer = %(issuer)s::text AND e.subject = %(subject)s::text;

-- tie_external : int
SELECT access.tie_external(%(issuer)s::text, %(subject)s::text, %(account_id)s::bigint) AS account_id;

-- limit_key : nothing
SELECT access.limit_key(%(id)s::uuid, %(per_minute)s::integer);

-- take_hits : Hits*
-- Counts hits, for each key as far as its limit allows.
SELECT t.key, t.granted, t.used, t.frees_seconds
FROM access.take_hits(%(keys)s::text[], %(most)s::integer[], %(seconds)s::integer[], %(wanted)s::integer[]) AS t;

-- sweep_rate_windows : int
SELECT access.sweep_rate_windows() AS swept;

-- externals_of : External*
-- The people of providers who are tied to an account.
SELECT e.issuer, e.subject, e.created_at
FROM access.external_identity AS e WHERE e.account_id = %(account_id)s::bigint ORDER BY e.issuer, e.subject;
