-- record_act : int
SELECT access.record_act(
         %(via)s::text, %(actor)s::bigint, %(key)s::uuid, %(session)s::uuid, %(act)s::text, %(target_kind)s::text,
         %(target)s::text, %(account)s::bigint, %(before)s::bytea, %(after)s::bytea, %(origin)s::bytea,
         %(request)s::text, %(salt)s::bytea, %(address)s::text) AS id;

-- acts : ActView*
-- The newest first. What stands in access.identity alone is looked up: an account that was erased has no id here.
SELECT a.id, a.at, a.via, a.actor_id AS actor_number, w.external_id AS actor, a.key_id, a.session_id, a.act,
       a.target_kind, CASE WHEN a.target_kind = 'account' THEN o.external_id ELSE a.target_id END AS target,
       a.account_id AS account_number, o.external_id AS account, encode(a.before, 'hex') AS before,
       encode(a.after, 'hex') AS after, a.request_id, p.address
FROM access.audit AS a
LEFT JOIN access.audit_private AS p ON p.audit_id = a.id
LEFT JOIN access.identity AS w ON w.account_id = a.actor_id
LEFT JOIN access.identity AS o ON o.account_id = a.account_id
WHERE (%(before)s::bigint IS NULL OR a.id < %(before)s::bigint)
  AND (%(actor)s::bigint IS NULL OR a.actor_id = %(actor)s::bigint)
  AND (%(act)s::text IS NULL OR a.act = %(act)s::text)
  AND (%(target_kind)s::text IS NULL OR a.target_kind = %(target_kind)s::text)
  AND (%(target)s::text IS NULL OR a.target_id = %(target)s::text)
  AND (%(since)s::timestamptz IS NULL OR a.at >= %(since)s::timestamptz)
  AND (%(until)s::timestamptz IS NULL OR a.at < %(until)s::timestamptz)
ORDER BY a.id DESC
LIMIT %(most)s::integer;

-- forget_acts : nothing
SELECT access.forget_acts(%(account)s::bigint);

-- acts_of : KeptAct*
-- What an account did and what was done to it, the newest first: all of which something is kept that can be forgotten.
SELECT a.at, a.act, a.via, coalesce(a.actor_id = %(account)s::bigint, FALSE) AS own,
       CASE WHEN a.actor_id = %(account)s::bigint OR a.act = 'sign_in.refuse' THEN p.address END AS address,
       CASE WHEN a.actor_id = %(account)s::bigint THEN a.request_id END AS request_id
FROM access.audit_private AS p
JOIN access.audit AS a ON a.id = p.audit_id
WHERE p.actor_id = %(account)s::bigint OR p.account_id = %(account)s::bigint
ORDER BY a.id DESC;
