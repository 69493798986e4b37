-- load : Loaded
-- Locks and loads what a batch is decided on.
SELECT l.owners, l.assets, l.accounts, l.balances, l.helds, l.dues, l.lot_accounts, l.lot_assets, l.lot_ids, l.lot_lefts,
       l.lot_sources, l.lot_priorities, l.lot_expiries, l.entries, l.holds, l.names, l.characters, l.models, l.versions,
       l.counting, l.uses, l.at, l.catalog_version
FROM metering.load(
  %(bucket)s::smallint, %(owner)s::bigint[], %(asset)s::smallint[], %(account)s::bigint[], %(key)s::text[],
  %(hold)s::uuid[], %(model)s::text[], %(character)s::text[], %(counting)s::bigint[]
) AS l;

-- post : nothing
-- Writes a decided batch.
SELECT metering.post(
  %(bucket)s::smallint, %(at)s::timestamptz, %(entries)s::ledger.entry[], %(transfers)s::ledger.transfer[],
  %(wallet_owner)s::bigint[], %(wallet_asset)s::smallint[], %(wallet_balance)s::bigint[],
  %(wallet_held)s::bigint[], %(wallet_spent)s::bigint[], %(moved_account)s::bigint[], %(moved_asset)s::smallint[],
  %(moved_lot)s::bigint[], %(moved_remaining)s::bigint[], %(moved_lapsed)s::bigint[], %(usage)s::metering.usage[],
  %(holds)s::ledger.hold[], %(ended_id)s::uuid[], %(ended_state)s::text[], %(ended_captured)s::bigint[],
  %(use_model)s::bigint[], %(use_count)s::bigint[], %(use_credits)s::bigint[], %(use_nanos)s::bigint[],
  %(use_last)s::timestamptz[], %(share_model)s::bigint[], %(share_earner)s::bigint[], %(share_count)s::bigint[],
  %(share_credits)s::bigint[], %(share_nanos)s::bigint[], %(share_last)s::timestamptz[], %(earner)s::bigint[],
  %(earner_nanos)s::bigint[]
);

-- terms_of : list
-- Terms of models; null for none.
SELECT metering.terms_of(%(bucket)s::smallint, %(models)s::bigint[]) AS terms;

-- found_models : ModelColumns
-- Which models these are, read without a lock.
SELECT f.names, f.characters, f.models, f.versions
FROM metering.find_models(%(model)s::text[], %(character)s::text[]) AS f;

-- receipts : ReceiptRow*
-- Receipts by their ids.
SELECT u.id, u.bucket::integer AS bucket, u.account_id, i.external_id AS account_external_id,
       u.user_label AS user_id, a.code AS credit_type, u.kind, u.amount, u.balance_after AS balance, u.operation,
       u.rate_version AS rate_card_version, m.external_id AS model_id, c.external_id AS character_id, u.usage_type,
       u.hold_id,
       (SELECT json_agg(json_build_array(t.lot_id, t.amount) ORDER BY t.leg) FROM ledger.transfer AS t
        WHERE t.bucket = u.bucket AND t.entry_id = u.id AND t.asset_id = u.asset_id) AS grants,
       metering.shares_of(u.bucket, u.id) AS earnings,
       u.reason AS earnings_reason, u.quantity, u.upstream_model, u.provider, u.cost_nanos, u.metadata,
       coalesce((SELECT sum(r.amount) FROM metering.reversal AS r
                 WHERE r.bucket = u.bucket AND r.usage_id = u.id), 0)::bigint AS reversed,
       u.occurred_at, u.recorded_at AS created_at
FROM access.deployment AS d
CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
JOIN metering.usage AS u ON u.bucket = b.bucket AND u.id = any(%(ids)s::uuid[])
JOIN ledger.asset AS a ON a.id = u.asset_id
LEFT JOIN access.identity AS i ON i.account_id = u.account_id
LEFT JOIN market.model AS m ON m.id = u.model_id
LEFT JOIN market.character AS c ON c.id = u.character_id;

-- receipts_of : UUID*
-- The ids of an account's receipts, newest first.
SELECT u.id
FROM metering.usage AS u
WHERE u.bucket = %(bucket)s::smallint AND u.account_id = %(account_id)s::bigint
  AND u.kind <> 'report'
  AND (%(before)s::uuid IS NULL OR u.id < %(before)s::uuid)
  AND (%(since)s::timestamptz IS NULL OR u.occurred_at >= %(since)s::timestamptz)
  AND (%(until)s::timestamptz IS NULL OR u.occurred_at < %(until)s::timestamptz)
  AND (%(operation)s::text IS NULL OR u.operation = %(operation)s::text)
  AND (%(model_id)s::bigint IS NULL OR u.model_id = %(model_id)s::bigint)
  AND (%(user_label)s::text IS NULL OR u.user_label = %(user_label)s::text)
ORDER BY u.id DESC
LIMIT %(most)s::integer;

-- spendable : Spendable*
-- What wallets have to spend, read without a lock; what expired holds set aside is free again.
SELECT w.bucket::integer AS bucket, w.owner_id, w.asset_id::integer AS asset_id,
       coalesce(a.balance, 0) - CASE WHEN coalesce(a.held, 0) = 0 THEN 0 ELSE a.held - coalesce((
         SELECT sum(h.amount) FROM ledger.hold AS h
         WHERE h.bucket = a.bucket AND h.account_id = a.owner_id AND h.asset_id = a.asset_id AND h.state = 'live'
           AND h.expires_at <= clock_timestamp()), 0)::bigint END AS available,
       coalesce(a.due_at <= clock_timestamp(), false) AS due,
       (SELECT coalesce(max(v.id), 0) FROM catalog.version AS v) AS catalog_version
FROM unnest(%(bucket)s::smallint[], %(owner)s::bigint[], %(asset)s::smallint[]) AS w (bucket, owner_id, asset_id)
LEFT JOIN LATERAL (
  SELECT x.* FROM ledger.account AS x
  WHERE x.bucket = w.bucket AND x.owner_id = w.owner_id AND x.asset_id = w.asset_id AND x.role = 'wallet' LIMIT 1
) AS a ON true;

-- catalog_version : int
SELECT coalesce(max(v.id), 0) AS version FROM catalog.version AS v;

-- reversed : Reversed
-- What of a charge was given back so far.
SELECT coalesce(sum(r.amount), 0)::bigint AS amount
FROM metering.reversal AS r
WHERE r.bucket = %(bucket)s::smallint AND r.usage_id = %(usage)s::uuid;

-- burned : LotBurned*
-- What a charge took from grants and reversals have not given back, in burn order.
SELECT t.lot_id, sum(CASE WHEN t.kind = 'reversal' THEN -t.amount ELSE t.amount END)::bigint AS taken,
       min(l.expires_at) AS expires_at
FROM (
  SELECT x.lot_id, x.kind, x.amount, x.leg FROM ledger.transfer AS x
  WHERE x.bucket = %(bucket)s::smallint AND x.entry_id = %(usage)s::uuid AND x.lot_id IS NOT NULL
  UNION ALL
  SELECT x.lot_id, x.kind, x.amount, x.leg FROM metering.reversal AS r
  JOIN ledger.transfer AS x ON x.bucket = r.bucket AND x.entry_id = r.id AND x.lot_id IS NOT NULL
  WHERE r.bucket = %(bucket)s::smallint AND r.usage_id = %(usage)s::uuid
) AS t
JOIN wallets.lot AS l
  ON l.bucket = %(bucket)s::smallint AND l.account_id = %(account_id)s::bigint AND l.asset_id = %(asset_id)s::smallint
  AND l.id = t.lot_id
GROUP BY t.lot_id
ORDER BY min(t.leg) FILTER (WHERE t.kind <> 'reversal');

-- use_of : Use
-- What a charge was, as its reversal needs it. Locks nothing: it never changes.
SELECT u.asset_id::integer AS asset_id, u.kind, u.amount, u.credits, u.nanos, u.counted, u.model_id, u.earners,
       metering.earned_by(u.bucket, u.id) AS earned, u.user_label
FROM metering.usage AS u
WHERE u.bucket = %(bucket)s::smallint AND u.id = %(usage)s::uuid AND u.account_id = %(account_id)s::bigint;

-- lock_standing : nothing
SELECT earnings.lock_standings(%(bucket)s::smallint, %(models)s::bigint[]);

-- locked_earners : EarnerColumns
-- Locks earners' accounts in key order.
SELECT e.owners, e.accounts, e.balances
FROM ledger.lock_earners(%(bucket)s::smallint, %(owners)s::bigint[]) AS e;

-- record_reversal : nothing
SELECT metering.record_reversal(
  %(bucket)s::smallint, %(at)s::timestamptz, %(id)s::uuid, %(usage)s::uuid, %(account_id)s::bigint,
  %(amount)s::bigint, %(nanos)s::bigint, %(lost_nanos)s::bigint, %(whole)s::boolean, %(reason)s::text);

-- bring_forward : nothing
SELECT ledger.bring_forward(%(bucket)s::smallint, %(owner)s::bigint, %(asset)s::smallint, %(at)s::timestamptz);

-- accruals : Accrual*
-- What an earner was credited, newest first.
SELECT a.id, a.kind, a.charge_id, a.model_id, a.usage_type, a.user_id, a.credits, a.nanos, a.occurred_at, a.created_at
FROM metering.accruals_of(%(earner_id)s::bigint, %(before)s::uuid, %(most)s::integer) AS a;

-- maturing : int
-- Nano-dollars of uses that are too young to be paid.
SELECT metering.maturing_of(%(earner_id)s::bigint, %(days)s::integer) AS nanos;

-- paid_by_source : PaidBySource*
-- Credits of a charge by the source of the grants that they came from, what was given back left out.
SELECT l.source, sum(CASE WHEN t.kind = 'reversal' THEN -t.amount ELSE t.amount END)::bigint AS paid
FROM (
  SELECT x.lot_id, x.kind, x.amount FROM ledger.transfer AS x
  WHERE x.bucket = %(bucket)s::smallint AND x.entry_id = %(usage)s::uuid AND x.lot_id IS NOT NULL
  UNION ALL
  SELECT x.lot_id, x.kind, x.amount FROM metering.reversal AS r
  JOIN ledger.transfer AS x ON x.bucket = r.bucket AND x.entry_id = r.id AND x.lot_id IS NOT NULL
  WHERE r.bucket = %(bucket)s::smallint AND r.usage_id = %(usage)s::uuid
) AS t
JOIN wallets.lot AS l
  ON l.bucket = %(bucket)s::smallint AND l.account_id = %(account_id)s::bigint AND l.id = t.lot_id
GROUP BY l.source;

-- erase : bool
-- Takes a person out of all records; false where there is no such account.
SELECT metering.erase(%(account_id)s::bigint, %(opaque)s::text) AS erased;

-- charges_of : Charges
-- How many receipts an account has, and from when to when.
SELECT count(*) AS count, min(u.recorded_at) AS first_at, max(u.recorded_at) AS last_at
FROM metering.usage AS u
WHERE u.bucket = %(bucket)s::smallint AND u.account_id = %(account_id)s::bigint AND u.kind <> 'report';

-- models_of : Owned*
-- The models that an account owns or made.
SELECT m.external_id AS model_id, 'owner' AS relation, o.bought_at AS since
FROM market.ownership AS o
JOIN market.model AS m ON m.id = o.model_id
WHERE o.account_id = %(account_id)s::bigint AND o.ended_at IS NULL
UNION ALL
SELECT m.external_id, 'creator', m.created_at FROM market.model AS m WHERE m.creator_id = %(account_id)s::bigint
ORDER BY since, model_id;

-- used : bool
-- Whether a use of a model by this account counts for it, and was not reversed whole.
SELECT count(*) > 0 AS used
FROM (
  SELECT u.id
  FROM metering.usage AS u
  LEFT JOIN metering.reversal AS r ON r.bucket = u.bucket AND r.usage_id = u.id AND r.whole
  WHERE u.bucket = %(bucket)s::smallint AND u.account_id = %(account_id)s::bigint
    AND u.model_id = %(model_id)s::bigint AND u.counted AND r.id IS NULL
  LIMIT 1
) AS x;

-- said_of : Said*
-- What an app wrote of an account elsewhere than on its charges: reasons of reversals, reports of uses, holds that ended
-- without a charge or are open.
SELECT 'reversal' AS kind, r.id, r.recorded_at AS at, jsonb_build_object('reason', r.reason) AS words
FROM metering.reversal AS r
WHERE r.bucket = %(bucket)s::smallint AND r.account_id = %(account_id)s::bigint
UNION ALL
SELECT 'report', u.id, u.recorded_at, jsonb_build_object('user_id', u.user_label, 'metadata', u.metadata)
FROM metering.usage AS u
WHERE u.bucket = %(bucket)s::smallint AND u.account_id = %(account_id)s::bigint AND u.kind = 'report'
UNION ALL
SELECT 'hold', h.id, h.created_at,
       jsonb_build_object('user_id', h.details -> 'user_label', 'metadata', (h.details ->> 'metadata')::jsonb)
FROM ledger.hold AS h
WHERE h.bucket = %(bucket)s::smallint AND h.account_id = %(account_id)s::bigint AND h.state <> 'captured'
ORDER BY at, id;

-- named_by_others : int
-- How many uses of other accounts name this one as their user.
SELECT count(*) AS count
FROM metering.usage AS u
WHERE u.user_label = %(name)s::text AND u.account_id <> %(account_id)s::bigint;

-- maturing_by_bucket : Maturing*
-- The same by bucket, or of one bucket, with one charge left out: what others' uses may still take back.
SELECT m.bucket::integer AS bucket, m.nanos
FROM metering.maturing_by_bucket(
  %(earner_id)s::bigint, %(days)s::integer, %(bucket)s::smallint, %(beside)s::uuid) AS m;

-- month_of : Move*
-- What moved an earner's balance in a month, by day.
SELECT m.day, m.kind, m.model_id, m.payout_id, m.uses, m.credits, m.nanos
FROM metering.month_of(
  %(earner_id)s::bigint, %(starts_at)s::timestamptz, %(ends_at)s::timestamptz, %(time_zone)s::text) AS m;

-- owed_at : int
-- What an earner was owed at a time: what it is owed now less all that was recorded since.
SELECT (
  coalesce((
    SELECT sum(a.balance)
    FROM access.deployment AS d
    CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
    JOIN ledger.account AS a
      ON a.bucket = b.bucket AND a.owner_id = %(earner_id)s::bigint AND a.asset_id = 0 AND a.role = 'earnings'
  ), 0) - coalesce((
    SELECT sum(CASE WHEN t.credit_id > 0 THEN t.amount ELSE -t.amount END)
    FROM access.deployment AS d
    CROSS JOIN generate_series(0, d.buckets - 1) AS b (bucket)
    JOIN ledger.transfer AS t
      ON t.bucket = b.bucket AND t.owner_id = %(earner_id)s::bigint AND t.asset_id = 0
         AND t.entry_id >= %(first)s::uuid AND t.recorded_at >= %(at)s::timestamptz
         AND greatest(t.debit_id, t.credit_id) > 0
  ), 0)
)::bigint AS nanos;
