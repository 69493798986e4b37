-- request_export : bool
-- False: the account has too many that are not made yet.
SELECT insights.request_export(
  %(id)s::uuid, %(account_id)s::bigint, %(kind)s::text, %(format)s::text, %(asked)s::jsonb, %(most)s::integer
) AS done;

-- take_export : Taken
SELECT t.id, t.account_id, a.bucket::integer AS bucket, t.kind, t.format, t.asked
FROM insights.take_export(%(most_tries)s::integer) AS t
JOIN access.account AS a ON a.id = t.account_id;

-- advance_export : nothing
SELECT insights.advance_export(%(id)s::uuid, %(rows)s::bigint, %(total)s::bigint);

-- end_export : bool
SELECT insights.end_export(
  %(id)s::uuid, %(state)s::text, %(rows)s::bigint, %(bytes)s::bigint, %(trouble)s::text) AS done;

-- expire_exports : list
SELECT insights.expire_exports(%(seconds)s::integer) AS ids;

-- export_of : Job
SELECT j.id, i.external_id AS account_id, j.kind, j.format, j.asked, j.state, j.total, j.rows, j.bytes, j.trouble,
       j.requested_at, j.ended_at
FROM insights.export_job AS j
JOIN access.identity AS i ON i.account_id = j.account_id
WHERE j.id = %(id)s::uuid;

-- exports_of : Job*
-- An account's exports, the newest first.
SELECT j.id, i.external_id AS account_id, j.kind, j.format, j.asked, j.state, j.total, j.rows, j.bytes, j.trouble,
       j.requested_at, j.ended_at
FROM insights.export_job AS j
JOIN access.identity AS i ON i.account_id = j.account_id
WHERE j.account_id = %(account_id)s::bigint AND (%(before)s::uuid IS NULL OR j.id < %(before)s::uuid)
ORDER BY j.id DESC
LIMIT %(most)s::integer;

-- live_exports : list
-- Exports whose files, begun ones too, are wanted.
SELECT coalesce(array_agg(j.id), '{}') AS ids
FROM insights.export_job AS j
WHERE j.state IN ('running', 'done');

-- count_of : int
-- How many lines there are at most, whatever else is filtered.
SELECT (
  CASE WHEN %(uses)s::boolean THEN (
    SELECT count(*) FROM metering.usage AS u
    WHERE u.bucket = %(bucket)s::smallint AND u.account_id = %(account_id)s::bigint AND u.id >= %(floor)s::uuid)
  ELSE 0 END
  + CASE WHEN %(moves)s::boolean THEN (
    SELECT count(*) FROM ledger.transfer AS t
    WHERE t.bucket = %(bucket)s::smallint AND t.owner_id = %(account_id)s::bigint AND t.asset_id <> 0
      AND t.kind NOT IN ('charge', 'capture') AND t.entry_id >= %(floor)s::uuid)
  ELSE 0 END
  + CASE WHEN %(dollars)s::boolean THEN (
    SELECT count(*) FROM access.deployment AS d
    CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
    JOIN ledger.transfer AS t
      ON t.bucket = b.bucket AND t.owner_id = %(account_id)s::bigint AND t.asset_id = 0
         AND t.entry_id >= %(floor)s::uuid)
  ELSE 0 END
) AS lines;
