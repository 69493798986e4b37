-- entry_of : EntryFound
-- What was done under a key.
SELECT e.account_id, e.key, e.id, e.kind, encode(e.fingerprint, 'hex') AS fingerprint, e.answer
FROM ledger.entry AS e
WHERE e.bucket = %(bucket)s::smallint AND e.account_id = %(account_id)s::bigint AND e.key = %(key)s::text;

-- hold_of : Hold
-- A hold by its id, in whichever bucket.
SELECT h.id, h.account_id, i.external_id AS account_external_id, h.asset_id::integer AS asset_id, h.amount, h.state,
       h.captured, h.expires_at, h.created_at, h.ended_at, h.details
FROM access.deployment AS d
CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
JOIN ledger.hold AS h ON h.bucket = b.bucket AND h.id = %(id)s::uuid
LEFT JOIN access.identity AS i ON i.account_id = h.account_id;

-- due_holds : DueHold*
-- Live holds whose time is over, oldest first.
SELECT h.id, h.account_id, h.asset_id::integer AS asset_id, h.amount
FROM ledger.hold AS h
WHERE h.bucket = %(bucket)s::smallint AND h.state = 'live' AND h.expires_at <= clock_timestamp()
ORDER BY h.expires_at
LIMIT %(most)s::integer;

-- due_holds_of : DueHold*
-- The same of one account.
SELECT h.id, h.account_id, h.asset_id::integer AS asset_id, h.amount
FROM ledger.hold AS h
WHERE h.bucket = %(bucket)s::smallint AND h.account_id = %(account_id)s::bigint AND h.state = 'live'
  AND h.expires_at <= clock_timestamp()
ORDER BY h.id;

-- locked_wallets : WalletColumns
-- Locks wallets in key order.
SELECT w.owners, w.assets, w.accounts, w.balances, w.helds, w.dues
FROM ledger.lock_wallets(%(bucket)s::smallint, %(owners)s::bigint[], %(assets)s::smallint[]) AS w;

-- now : datetime
SELECT clock_timestamp() AS at;

-- open_accounts : nothing
SELECT ledger.open_accounts(%(bucket)s::smallint, %(owners)s::bigint[], %(assets)s::smallint[], %(role)s::text);

-- post : nothing
-- Entries, transfers and wallets; then holds that end.
SELECT ledger.post(
         %(bucket)s::smallint, %(at)s::timestamptz,
         %(entries)s::ledger.entry[], %(transfers)s::ledger.transfer[],
         %(wallet_owner)s::bigint[], %(wallet_asset)s::smallint[], %(wallet_balance)s::bigint[],
         %(wallet_held)s::bigint[], %(wallet_spent)s::bigint[]),
       ledger.end_holds(%(bucket)s::smallint, %(at)s::timestamptz, %(ended_id)s::uuid[], %(ended_state)s::text[],
                        %(ended_captured)s::bigint[]);

-- schedule : nothing
-- When time next changes the wallets of an account; a new period forgets what was spent before it.
SELECT ledger.schedule(%(bucket)s::smallint, %(owner)s::bigint, %(assets)s::smallint[], %(due)s::timestamptz[],
                       %(new_period)s::boolean);

-- assets : Asset*
SELECT a.id::integer AS id, a.code FROM ledger.asset AS a ORDER BY a.id;
