-- lock_earnings : Owed
-- Locks what an earner is owed, bucket by bucket.
SELECT l.buckets, l.accounts, l.balances FROM ledger.lock_earnings(%(account_id)s::bigint) AS l;

-- open : nothing
SELECT payouts.open(
  %(bucket)s::smallint, %(at)s::timestamptz, %(id)s::uuid, %(account_id)s::bigint, %(amount)s::bigint,
  %(method)s::text, %(who)s::text);

-- lock : nothing
SELECT payouts.lock(%(bucket)s::smallint, %(account_id)s::bigint, %(id)s::uuid);

-- turn : nothing
SELECT payouts.turn(
  %(bucket)s::smallint, %(at)s::timestamptz, %(account_id)s::bigint, %(id)s::uuid, %(state)s::text, %(next_state)s::text,
  %(who)s::text, %(reason)s::text, %(reference)s::text, %(entry)s::uuid);

-- payout : Payout
-- A payout by its id, if there is one that this transaction may see.
SELECT p.id, p.bucket::integer AS bucket, p.account_id, i.external_id AS account_external_id, p.amount, p.method,
       p.state::text AS state, p.requested_by, p.approved_by, p.reference, p.reason, p.requested_at, p.sent_at,
       p.accepted_at, p.ended_at
FROM access.deployment AS d
CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
JOIN payouts.payout AS p ON p.bucket = b.bucket AND p.id = %(id)s::uuid
LEFT JOIN access.identity AS i ON i.account_id = p.account_id;

-- payouts : Payout*
-- Payouts, newest first: of an account or of all that this transaction may see.
SELECT p.id, p.bucket::integer AS bucket, p.account_id, i.external_id AS account_external_id, p.amount, p.method,
       p.state::text AS state, p.requested_by, p.approved_by, p.reference, p.reason, p.requested_at, p.sent_at,
       p.accepted_at, p.ended_at
FROM access.deployment AS d
CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
JOIN payouts.payout AS p ON p.bucket = b.bucket
LEFT JOIN access.identity AS i ON i.account_id = p.account_id
WHERE (%(account_id)s::bigint IS NULL OR p.account_id = %(account_id)s::bigint)
  AND (%(state)s::text IS NULL OR p.state = %(state)s::text)
  AND (%(method)s::text IS NULL OR p.method = %(method)s::text)
  AND (%(before)s::uuid IS NULL OR p.id < %(before)s::uuid)
  AND (%(since)s::timestamptz IS NULL OR p.requested_at >= %(since)s::timestamptz)
  AND (%(until)s::timestamptz IS NULL OR p.requested_at < %(until)s::timestamptz)
ORDER BY p.id DESC
LIMIT %(most)s::integer;

-- events : Event*
-- The states that a payout was in, the first first.
SELECT e.state::text AS state, e.by, e.reason, e.at
FROM payouts.event AS e
WHERE e.bucket = %(bucket)s::smallint AND e.payout_id = %(id)s::uuid
ORDER BY e.id;

-- parts : Part*
-- What a payout took, bucket by bucket.
SELECT t.bucket::integer AS bucket, t.debit_id AS account, t.amount AS nanos
FROM access.deployment AS d
CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
JOIN ledger.transfer AS t ON t.bucket = b.bucket AND t.entry_id = %(id)s::uuid AND t.kind = 'payout'
ORDER BY t.bucket;

-- sums : Sums
-- What of an earner's money is on its way out, and what was sent.
SELECT coalesce(sum(p.amount) FILTER (WHERE p.state IN ('pending', 'processing', 'unknown')), 0)::bigint AS in_payout,
       coalesce(sum(p.amount) FILTER (WHERE p.state = 'completed'), 0)::bigint AS paid
FROM access.account AS a
JOIN payouts.payout AS p ON p.bucket = a.bucket AND p.account_id = a.id
WHERE a.id = %(account_id)s::bigint;

-- post_earnings : nothing
SELECT ledger.post_earnings(
  %(bucket)s::smallint, %(at)s::timestamptz, %(entries)s::ledger.entry[], %(transfers)s::ledger.transfer[],
  %(earner)s::bigint[], %(nanos)s::bigint[]);

-- method_of : MethodSet
-- How an account is paid.
SELECT m.account_id, m.kind, m.sealed, m.hint, m.changed_at
FROM payouts.method AS m WHERE m.account_id = %(account_id)s::bigint;

-- set_method : datetime
SELECT payouts.set_method(%(account_id)s::bigint, %(kind)s::text, %(sealed)s::bytea, %(hint)s::text) AS changed_at;

-- sealed_rows : SealedRow*
-- A page of sealed details in the order of their ids.
SELECT m.account_id::text AS id, m.sealed
FROM payouts.method AS m
WHERE %(after)s::text IS NULL OR m.account_id::text COLLATE "C" > %(after)s::text
ORDER BY m.account_id::text COLLATE "C"
LIMIT %(most)s::integer;

-- reseal_method : bool
SELECT payouts.reseal_method(%(account_id)s::bigint, %(old)s::bytea, %(new)s::bytea) AS done;

-- schedule_of : Schedule
-- What is paid out to an account by itself.
SELECT s.account_id, s.every, s.day::integer AS day, s.minimum, s.looked_on, s.changed_at
FROM payouts.schedule AS s WHERE s.account_id = %(account_id)s::bigint;

-- set_schedule : datetime
SELECT payouts.set_schedule(
  %(account_id)s::bigint, %(every)s::text, %(day)s::smallint, %(minimum)s::bigint, %(looked_on)s::date) AS changed_at;

-- drop_schedule : bool
SELECT payouts.drop_schedule(%(account_id)s::bigint) AS dropped;

-- note_schedule : nothing
SELECT payouts.note_schedule(%(account_id)s::bigint, %(looked_on)s::date);

-- scheduled : Scheduled*
-- Schedules that were not looked at today on any calendar, by account.
SELECT s.account_id, a.bucket::integer AS bucket, i.external_id, a.time_zone, s.every, s.day::integer AS day, s.minimum,
       s.looked_on
FROM payouts.schedule AS s
JOIN access.account AS a ON a.id = s.account_id
JOIN access.identity AS i ON i.account_id = s.account_id
WHERE s.account_id > %(after)s::bigint AND s.looked_on < (clock_timestamp() + interval '14 hours')::date
ORDER BY s.account_id
LIMIT %(most)s::integer;

-- waiting : Waiting*
-- Open payouts by these methods that are to be sent (untold) or looked up (told a while ago, and not done), by id.
SELECT p.id, p.bucket::integer AS bucket, p.account_id, i.external_id, p.sent_at IS NOT NULL AS told
FROM access.deployment AS d
CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
JOIN payouts.payout AS p ON p.bucket = b.bucket AND p.state IN ('pending', 'processing', 'unknown')
LEFT JOIN access.identity AS i ON i.account_id = p.account_id
WHERE p.method = any(%(methods)s::text[])
  AND ((p.sent_at IS NULL AND p.state = any(%(unsent)s::text[]))
       OR (p.sent_at IS NOT NULL AND p.looked_at < clock_timestamp() - make_interval(secs => %(seconds)s::integer)))
  AND (%(after)s::uuid IS NULL OR p.id > %(after)s::uuid)
ORDER BY p.id
LIMIT %(most)s::integer;

-- note_sending : nothing
SELECT payouts.note_sending(%(bucket)s::smallint, %(at)s::timestamptz, %(account_id)s::bigint, %(id)s::uuid);

-- forget_sending : nothing
SELECT payouts.forget_sending(%(bucket)s::smallint, %(account_id)s::bigint, %(id)s::uuid);

-- note_look : nothing
SELECT payouts.note_look(
  %(bucket)s::smallint, %(at)s::timestamptz, %(account_id)s::bigint, %(id)s::uuid, %(accepted)s::boolean,
  %(reference)s::text);

-- method_kind : str
-- By which method an account is paid.
SELECT m.kind FROM payouts.method AS m WHERE m.account_id = %(account_id)s::bigint;
