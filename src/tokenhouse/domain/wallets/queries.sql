-- enrolment_of : Enrolment
-- The plan of an account and the period it is in.
SELECT e.account_id, e.plan_id, e.anchor, e.period_started_at, e.renews_at, a.time_zone
FROM wallets.enrolment AS e
JOIN access.account AS a ON a.id = e.account_id
WHERE e.bucket = %(bucket)s::smallint AND e.account_id = %(account_id)s::bigint;

-- allowance_lots : AllowanceLot*
-- The allowances of an account's period.
SELECT l.id, l.asset_id::integer AS asset_id, l.amount - l.remaining - l.lapsed AS used
FROM wallets.lot AS l
WHERE l.bucket = %(bucket)s::smallint AND l.account_id = %(account_id)s::bigint AND l.source = 'allowance'
  AND l.period_started_at = %(period_started_at)s::timestamptz;

-- enrolments_of : EnrolmentNow*
-- The plans of accounts, and whether their periods are over.
SELECT e.account_id, e.plan_id, e.renews_at, e.renews_at <= clock_timestamp() AS due
FROM unnest(%(buckets)s::smallint[], %(accounts)s::bigint[]) AS n (bucket, account_id)
JOIN wallets.enrolment AS e ON e.bucket = n.bucket AND e.account_id = n.account_id;

-- wallet_rows : WalletRow*
-- The wallets of accounts; what expired holds set aside is free again.
SELECT a.owner_id AS account_id, a.asset_id::integer AS asset_id, a.balance,
       CASE WHEN a.held = 0 THEN 0 ELSE a.held - coalesce((
         SELECT sum(h.amount) FROM ledger.hold AS h
         WHERE h.bucket = a.bucket AND h.account_id = a.owner_id AND h.asset_id = a.asset_id AND h.state = 'live'
           AND h.expires_at <= clock_timestamp()), 0)::bigint END AS held,
       greatest(a.spent - a.spent_mark, 0) AS used, a.last_spent_at AS last_used_at,
       coalesce(a.due_at <= clock_timestamp(), false) AS due
FROM unnest(%(buckets)s::smallint[], %(accounts)s::bigint[]) AS n (bucket, account_id)
JOIN ledger.account AS a ON a.bucket = n.bucket AND a.owner_id = n.account_id AND a.role = 'wallet'
ORDER BY a.asset_id;

-- due_accounts : DueAccount*
-- Accounts that time has something to do to, soonest first.
SELECT a.owner_id AS account_id, a.bucket::integer AS bucket, coalesce(i.external_id, '') AS external_id
FROM ledger.account AS a
LEFT JOIN access.identity AS i ON i.account_id = a.owner_id
WHERE a.bucket = %(bucket)s::smallint AND a.due_at <= clock_timestamp() AND a.owner_id > %(after)s::bigint
GROUP BY a.owner_id, a.bucket, i.external_id
ORDER BY a.owner_id
LIMIT %(most)s::integer;

-- grants_of : GrantView*
-- The grants of an account, newest first.
SELECT l.id, t.code AS credit_type, l.source, l.amount, l.remaining, l.priority, l.expires_at, l.note, l.created_at
FROM wallets.lot AS l
JOIN ledger.asset AS t ON t.id = l.asset_id
WHERE l.bucket = %(bucket)s::smallint AND l.account_id = %(account_id)s::bigint
  AND (%(before)s::bigint IS NULL OR l.id < %(before)s::bigint)
ORDER BY l.id DESC
LIMIT %(most)s::integer;

-- lots_of : LotColumns
-- The lots of locked wallets.
SELECT l.accounts, l.assets, l.ids, l.lefts, l.sources, l.priorities, l.expiries
FROM wallets.lots_of(%(bucket)s::smallint, %(owners)s::bigint[], %(assets)s::smallint[]) AS l;

-- next_lots : list
-- Numbers for new lots.
SELECT wallets.next_lots(%(count)s::integer) AS ids;

-- post_lots : nothing
SELECT wallets.move_lots(%(bucket)s::smallint, %(moved_account)s::bigint[], %(moved_asset)s::smallint[],
                         %(moved_lot)s::bigint[], %(moved_remaining)s::bigint[], %(moved_lapsed)s::bigint[]),
       wallets.open_lots(%(bucket)s::smallint, %(at)s::timestamptz, %(lot_account)s::bigint[],
                         %(lot_asset)s::smallint[], %(lot_id)s::bigint[], %(lot_source)s::text[],
                         %(lot_amount)s::bigint[], %(lot_remaining)s::bigint[], %(lot_priority)s::integer[],
                         %(lot_expires)s::timestamptz[], %(lot_period)s::timestamptz[], %(lot_entry)s::uuid[],
                         %(lot_note)s::text[]);

-- enrol : nothing
SELECT wallets.enrol(%(bucket)s::smallint, %(at)s::timestamptz, %(account_id)s::bigint, %(plan_id)s::text,
                     %(anchor)s::timestamptz, %(period_started_at)s::timestamptz, %(renews_at)s::timestamptz);

-- end_lots : nothing
-- Grants that are over from now on.
SELECT wallets.end_lots(%(bucket)s::smallint, %(at)s::timestamptz, %(account_id)s::bigint, %(assets)s::smallint[],
                        %(lots)s::bigint[]);
