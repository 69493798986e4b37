-- moment : Moment
-- The snapshot of this transaction; whose transactions it counts; up to when a block may reach now. A snapshot does not
-- name those that have a number above every one that has ended: they stand between its end and our own number, and are
-- named here as open too. The time is that of the transaction's begin, before its snapshot: a clock read later would take
-- in what began in between.
WITH taken AS MATERIALIZED (
  SELECT pg_current_snapshot() AS snapshot, pg_current_xact_id()::text::bigint AS mine
)
SELECT pg_snapshot_xmin(t.snapshot)::text || ':' || t.mine || ':' || coalesce((
         SELECT string_agg(o.open::text, ',' ORDER BY o.open)
         FROM (
           SELECT x::text::bigint AS open FROM pg_snapshot_xip(t.snapshot) AS x
           UNION ALL
           SELECT generate_series(pg_snapshot_xmax(t.snapshot)::text::bigint, t.mine - 1)
         ) AS o
       ), '') AS seen,
       (SELECT c.system_identifier FROM pg_control_system() AS c)::text || '/'
       || (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())::text AS cluster,
       now() AS at,
       now() - make_interval(secs => %(margin)s::integer) AS horizon
FROM taken AS t;

-- last_block : Block
SELECT b.number, b.made_at, b.until, b.seen, b.cluster, b.late_audits, b.late_entries, b.first_audit, b.last_audit,
       b.audits, b.entries, b.transfers, b.contents, b.previous, b.digest
FROM access.audit_block AS b
ORDER BY b.number DESC
LIMIT 1;

-- blocks : Block*
-- All of them, the first first.
SELECT b.number, b.made_at, b.until, b.seen, b.cluster, b.late_audits, b.late_entries, b.first_audit, b.last_audit,
       b.audits, b.entries, b.transfers, b.contents, b.previous, b.digest
FROM access.audit_block AS b
ORDER BY b.number;

-- late : Late
-- What was recorded before `before`, and committed by one of the transactions that were open at the snapshot `seen`.
-- all_later: and by any that began after it, for a clock that was set back. A row tells its transaction by 32 bits; the
-- present snapshot has the rest. An entry is as late as its transfers, which nothing changes, where it has any; where a
-- person was taken out of it since, it says itself which transaction wrote it.
WITH given AS MATERIALIZED (
  SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS now,
         pg_snapshot_xmax(%(seen)s::text::pg_snapshot)::text::bigint AS next,
         (
           SELECT coalesce(array_agg(x::text::bigint), '{}') FROM pg_snapshot_xip(%(seen)s::text::pg_snapshot) AS x
         ) AS open
), audits AS (
  SELECT a.id, g.now - ((g.now - a.xmin::text::bigint) & 4294967295) AS transaction
  FROM given AS g
  CROSS JOIN access.audit AS a
  WHERE a.at >= %(since)s::timestamptz AND a.at < %(before)s::timestamptz
), moves AS (
  SELECT t.entry_id AS id, g.now - ((g.now - t.xmin::text::bigint) & 4294967295) AS transaction
  FROM given AS g
  CROSS JOIN ledger.transfer AS t
  WHERE t.recorded_at >= %(since)s::timestamptz AND t.recorded_at < %(before)s::timestamptz
), still AS (
  SELECT e.id,
         g.now - ((g.now - coalesce((e.answer ->> 'transaction')::bigint, e.xmin::text::bigint)) & 4294967295)
         AS transaction
  FROM given AS g
  CROSS JOIN ledger.entry AS e
  WHERE e.recorded_at >= %(since)s::timestamptz AND e.recorded_at < %(before)s::timestamptz
    AND NOT EXISTS (SELECT FROM ledger.transfer AS t WHERE t.bucket = e.bucket AND t.entry_id = e.id)
)
SELECT coalesce((
         SELECT array_agg(a.id ORDER BY a.id)
         FROM audits AS a
         CROSS JOIN given AS g
         WHERE a.transaction = any(g.open) OR (%(all_later)s::boolean AND a.transaction >= g.next)
       ), '{}') AS audits,
       coalesce((
         SELECT array_agg(DISTINCT m.id)
         FROM (SELECT * FROM moves UNION ALL SELECT * FROM still) AS m
         CROSS JOIN given AS g
         WHERE m.transaction = any(g.open) OR (%(all_later)s::boolean AND m.transaction >= g.next)
       ), '{}') AS entries;

-- audits : Sealed*
-- The acts recorded between `since` and `until`, those before `after` only where they are named late: how many there
-- are in each place, and the digest of all of them. A place is the number of the first of `untils` that lies after the
-- row, or the one that goes with its id in `late`. A row's bytes are its columns', each behind its length; a minute's
-- digests are digested first, so that no text grows without bounds.
WITH late AS (
  SELECT l.id, l.place FROM unnest(%(late)s::bigint[], %(places)s::integer[]) AS l (id, place)
), found AS (
  SELECT coalesce(l.place, width_bucket(a.at, %(untils)s::timestamptz[]) + 1) AS place,
         date_bin('1 minute', a.at, 'epoch') AS minute, a.id,
         sha256(record_send(row(
           a.id, a.at, convert_to(a.via, 'UTF8'), a.actor_id, a.key_id, a.session_id, convert_to(a.act, 'UTF8'),
           convert_to(a.target_kind, 'UTF8'), convert_to(a.target_id, 'UTF8'), a.account_id, a.before, a.after,
           a.origin, convert_to(a.request_id, 'UTF8')))) AS digest
  FROM access.audit AS a
  LEFT JOIN late AS l ON l.id = a.id
  WHERE a.at >= %(since)s::timestamptz AND a.at < %(until)s::timestamptz
    AND (a.at >= %(after)s::timestamptz OR l.id IS NOT NULL)
), minutes AS (
  SELECT f.place, f.minute, count(*) AS count, min(f.id) AS first, max(f.id) AS last,
         sha256(string_agg(f.digest, ''::bytea ORDER BY f.digest)) AS digest
  FROM found AS f
  GROUP BY f.place, f.minute
)
SELECT m.place, sum(m.count)::bigint AS count, sha256(string_agg(m.digest, ''::bytea ORDER BY m.minute)) AS digest,
       min(m.first) AS first, max(m.last) AS last
FROM minutes AS m
GROUP BY m.place;

-- entries : Sealed*
-- The same of the ledger's entries, but for what an app said in its own words, which goes with an erased person.
WITH late AS (
  SELECT l.id, l.place FROM unnest(%(late)s::uuid[], %(places)s::integer[]) AS l (id, place)
), found AS (
  SELECT coalesce(l.place, width_bucket(e.recorded_at, %(untils)s::timestamptz[]) + 1) AS place,
         date_bin('1 minute', e.recorded_at, 'epoch') AS minute,
         sha256(record_send(row(
           e.bucket, e.account_id, e.id, convert_to(e.kind, 'UTF8'), e.recorded_at))) AS digest
  FROM ledger.entry AS e
  LEFT JOIN late AS l ON l.id = e.id
  WHERE e.recorded_at >= %(since)s::timestamptz AND e.recorded_at < %(until)s::timestamptz
    AND (e.recorded_at >= %(after)s::timestamptz OR l.id IS NOT NULL)
), minutes AS (
  SELECT f.place, f.minute, count(*) AS count, sha256(string_agg(f.digest, ''::bytea ORDER BY f.digest)) AS digest
  FROM found AS f
  GROUP BY f.place, f.minute
)
SELECT m.place, sum(m.count)::bigint AS count, sha256(string_agg(m.digest, ''::bytea ORDER BY m.minute)) AS digest,
       NULL::bigint AS first, NULL::bigint AS last
FROM minutes AS m
GROUP BY m.place;

-- transfers : Sealed*
-- The same of the ledger's transfers, late with their entries.
WITH late AS (
  SELECT l.id, l.place FROM unnest(%(late)s::uuid[], %(places)s::integer[]) AS l (id, place)
), found AS (
  SELECT coalesce(l.place, width_bucket(t.recorded_at, %(untils)s::timestamptz[]) + 1) AS place,
         date_bin('1 minute', t.recorded_at, 'epoch') AS minute,
         sha256(record_send(row(
           t.bucket, t.entry_id, t.leg, convert_to(t.kind, 'UTF8'), t.asset_id, t.debit_id, t.credit_id, t.amount,
           t.owner_id, t.lot_id, t.recorded_at))) AS digest
  FROM ledger.transfer AS t
  LEFT JOIN late AS l ON l.id = t.entry_id
  WHERE t.recorded_at >= %(since)s::timestamptz AND t.recorded_at < %(until)s::timestamptz
    AND (t.recorded_at >= %(after)s::timestamptz OR l.id IS NOT NULL)
), minutes AS (
  SELECT f.place, f.minute, count(*) AS count, sha256(string_agg(f.digest, ''::bytea ORDER BY f.digest)) AS digest
  FROM found AS f
  GROUP BY f.place, f.minute
)
SELECT m.place, sum(m.count)::bigint AS count, sha256(string_agg(m.digest, ''::bytea ORDER BY m.minute)) AS digest,
       NULL::bigint AS first, NULL::bigint AS last
FROM minutes AS m
GROUP BY m.place;

-- waiting : int
-- What is recorded and in no block yet.
SELECT (SELECT count(*) FROM access.audit AS a WHERE a.at >= %(after)s::timestamptz)
       + (SELECT count(*) FROM ledger.entry AS e WHERE e.recorded_at >= %(after)s::timestamptz) AS count;

-- close_block : nothing
SELECT access.close_block(
         %(number)s::bigint, %(made_at)s::timestamptz, %(until)s::timestamptz, %(seen)s::text, %(cluster)s::text,
         %(late_audits)s::bigint[], %(late_entries)s::uuid[], %(first_audit)s::bigint, %(last_audit)s::bigint,
         %(audits)s::bigint, %(entries)s::bigint, %(transfers)s::bigint, %(contents)s::bytea, %(previous)s::bytea,
         %(digest)s::bytea);
