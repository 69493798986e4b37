-- lock_batches : nothing
SELECT payouts.lock_batches();

-- keep_batch : nothing
SELECT payouts.keep_batch(
  %(id)s::uuid, %(at)s::timestamptz, %(key)s::text, %(fingerprint)s::text, %(format)s::text, %(currency)s::text,
  %(rate)s::bigint, %(execution_date)s::date, %(who)s::text, %(skipped)s::jsonb, %(sealed)s::bytea,
  %(buckets)s::smallint[], %(payouts)s::uuid[], %(cents)s::bigint[]);

-- candidates : UUID*
-- Payouts by bank that wait for a batch, the oldest first.
SELECT p.id
FROM access.deployment AS d
CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
JOIN payouts.payout AS p ON p.bucket = b.bucket AND p.state IN ('pending', 'processing', 'unknown')
LEFT JOIN payouts.batched AS x ON x.bucket = p.bucket AND x.payout_id = p.id
WHERE p.method = 'bank' AND p.state = any(%(states)s::text[]) AND x.payout_id IS NULL
ORDER BY p.id
LIMIT %(most)s::integer;

-- batch_of_payout : UUID
-- The batch that a payout is in.
SELECT x.batch_id FROM payouts.batched AS x WHERE x.bucket = %(bucket)s::smallint AND x.payout_id = %(id)s::uuid;

-- batch : Batch
-- A batch by its id or by the key of the command that made it.
SELECT b.id, b.key, b.fingerprint, b.format, b.currency, b.rate, b.execution_date, b.created_by, b.created_at,
       b.skipped::text AS skipped, b.sealed IS NOT NULL AS has_file, s.payouts, s.cents, s.nanos
FROM payouts.batch AS b
CROSS JOIN LATERAL (
  SELECT count(*)::integer AS payouts, coalesce(sum(x.cents), 0)::bigint AS cents, coalesce(sum(p.amount), 0)::bigint AS nanos
  FROM payouts.batched AS x JOIN payouts.payout AS p ON p.bucket = x.bucket AND p.id = x.payout_id
  WHERE x.batch_id = b.id
) AS s
WHERE b.id = %(id)s::uuid OR b.key = %(key)s::text;

-- batches : Batch*
-- Batches, the newest first.
SELECT b.id, b.key, b.fingerprint, b.format, b.currency, b.rate, b.execution_date, b.created_by, b.created_at,
       b.skipped::text AS skipped, b.sealed IS NOT NULL AS has_file, s.payouts, s.cents, s.nanos
FROM payouts.batch AS b
CROSS JOIN LATERAL (
  SELECT count(*)::integer AS payouts, coalesce(sum(x.cents), 0)::bigint AS cents, coalesce(sum(p.amount), 0)::bigint AS nanos
  FROM payouts.batched AS x JOIN payouts.payout AS p ON p.bucket = x.bucket AND p.id = x.payout_id
  WHERE x.batch_id = b.id
) AS s
WHERE %(before)s::uuid IS NULL OR b.id < %(before)s::uuid
ORDER BY b.id DESC
LIMIT %(most)s::integer;

-- batched : Batched*
-- The payouts of a batch, the oldest first.
SELECT p.id, i.external_id AS account_external_id, p.amount AS nanos, x.cents, p.state::text AS state
FROM payouts.batched AS x
JOIN payouts.payout AS p ON p.bucket = x.bucket AND p.id = x.payout_id
LEFT JOIN access.identity AS i ON i.account_id = p.account_id
WHERE x.batch_id = %(id)s::uuid
ORDER BY x.payout_id;

-- file : bytes
-- The file of a batch, sealed.
SELECT b.sealed FROM payouts.batch AS b WHERE b.id = %(id)s::uuid AND b.sealed IS NOT NULL;

-- sealed_files : SealedRow*
-- A page of sealed files in the order of their ids.
SELECT b.id::text AS id, b.sealed
FROM payouts.batch AS b
WHERE b.sealed IS NOT NULL AND (%(after)s::text IS NULL OR b.id::text COLLATE "C" > %(after)s::text)
ORDER BY b.id::text COLLATE "C"
LIMIT %(most)s::integer;

-- reseal_batch : bool
SELECT payouts.reseal_batch(%(id)s::uuid, %(old)s::bytea, %(new)s::bytea) AS done;
