-- balances : Difference*
-- Every kept balance is the fold of its transfers, in its own asset and bucket.
SELECT concat_ws(' ', 'ledger account', coalesce(a.id, t.account)) AS subject,
       coalesce(a.balance, 0)::text AS recorded, coalesce(t.sum, 0)::text AS derived
FROM ledger.account AS a
FULL JOIN (
  SELECT m.bucket, m.asset_id, m.account, sum(m.amount) AS sum
  FROM (
    SELECT x.bucket, x.asset_id, x.credit_id AS account, x.amount FROM ledger.transfer AS x WHERE x.credit_id > 0
    UNION ALL
    SELECT x.bucket, x.asset_id, x.debit_id, -x.amount FROM ledger.transfer AS x WHERE x.debit_id > 0
  ) AS m
  GROUP BY m.bucket, m.asset_id, m.account
) AS t ON t.bucket = a.bucket AND t.asset_id = a.asset_id AND t.account = a.id
WHERE coalesce(a.balance, 0) <> coalesce(t.sum, 0);

-- platform_accounts : Difference*
-- The platform's side of a transfer is one of its accounts for that asset; the other side is somebody's, but for money
-- that is sent away.
SELECT concat_ws(' ', 'transfer', x.entry_id, 'leg', x.leg) AS subject,
       concat_ws(' to ', x.debit_id, x.credit_id) AS recorded, concat('asset ', x.asset_id) AS derived
FROM ledger.transfer AS x
WHERE ((x.debit_id > 0) = (x.credit_id > 0)) IS DISTINCT FROM (x.kind = 'payout_paid')
   OR -least(x.debit_id, x.credit_id) / 16 <> x.asset_id;

-- transfers_have_entries : Difference*
-- Every transfer belongs to a recorded command.
SELECT concat_ws(' ', 'transfer', x.entry_id, 'leg', x.leg) AS subject, x.kind AS recorded, 'no entry' AS derived
FROM ledger.transfer AS x
LEFT JOIN ledger.entry AS e ON e.bucket = x.bucket AND e.id = x.entry_id
WHERE e.id IS NULL;

-- held : Difference*
-- What a wallet holds is the sum of its live holds.
SELECT concat_ws(' ', 'wallet of account', a.owner_id, 'asset', a.asset_id) AS subject, a.held::text AS recorded,
       coalesce(h.sum, 0)::text AS derived
FROM ledger.account AS a
LEFT JOIN (
  SELECT x.bucket, x.account_id, x.asset_id, sum(x.amount) AS sum FROM ledger.hold AS x WHERE x.state = 'live'
  GROUP BY x.bucket, x.account_id, x.asset_id
) AS h ON h.bucket = a.bucket AND h.account_id = a.owner_id AND h.asset_id = a.asset_id AND a.role = 'wallet'
WHERE a.held <> coalesce(h.sum, 0);

-- lots_make_balances : Difference*
-- A wallet's balance is what is left of its grants.
SELECT concat_ws(' ', 'wallet of account', a.owner_id, 'asset', a.asset_id) AS subject, a.balance::text AS recorded,
       coalesce(l.sum, 0)::text AS derived
FROM ledger.account AS a
LEFT JOIN (
  SELECT x.bucket, x.account_id, x.asset_id, sum(x.remaining) AS sum FROM wallets.lot AS x
  GROUP BY x.bucket, x.account_id, x.asset_id
) AS l ON l.bucket = a.bucket AND l.account_id = a.owner_id AND l.asset_id = a.asset_id
WHERE a.role = 'wallet' AND a.balance <> coalesce(l.sum, 0);

-- lots : Difference*
-- A grant was issued once; what left it was spent or lapsed, by transfers that name it.
SELECT concat_ws(' ', 'grant', coalesce(l.id, t.lot_id)) AS subject,
       concat_ws(' ', l.amount, 'issued', l.lapsed, 'lapsed', l.amount - l.remaining - l.lapsed, 'spent') AS recorded,
       concat_ws(' ', t.issued, 'issued', t.lapsed, 'lapsed', t.spent, 'spent') AS derived
FROM wallets.lot AS l
FULL JOIN (
  SELECT x.bucket, x.asset_id, x.lot_id,
         coalesce(sum(x.amount) FILTER (WHERE x.kind IN ('grant', 'allowance')), 0) AS issued,
         coalesce(sum(x.amount) FILTER (WHERE x.kind = 'lapse'), 0) AS lapsed,
         coalesce(sum(x.amount) FILTER (WHERE x.kind IN ('charge', 'capture', 'purchase')), 0)
           - coalesce(sum(x.amount) FILTER (WHERE x.kind = 'reversal'), 0) AS spent
  FROM ledger.transfer AS x
  WHERE x.lot_id IS NOT NULL
  GROUP BY x.bucket, x.asset_id, x.lot_id
) AS t ON t.bucket = l.bucket AND t.asset_id = l.asset_id AND t.lot_id = l.id
WHERE l.id IS NULL OR t.lot_id IS NULL OR l.amount <> t.issued OR l.lapsed <> t.lapsed
   OR l.amount - l.remaining - l.lapsed <> t.spent;

-- spent : Difference*
-- What a wallet counts as spent is what went to the platform's revenue, less what came back.
SELECT concat_ws(' ', 'wallet of account', a.owner_id, 'asset', a.asset_id) AS subject, a.spent::text AS recorded,
       coalesce(t.sum, 0)::text AS derived
FROM ledger.account AS a
LEFT JOIN (
  SELECT m.bucket, m.account, sum(m.amount) AS sum
  FROM (
    SELECT x.bucket, x.debit_id AS account, x.amount FROM ledger.transfer AS x
    WHERE x.asset_id > 0 AND x.kind IN ('charge', 'capture', 'purchase')
    UNION ALL
    SELECT x.bucket, x.credit_id, -x.amount FROM ledger.transfer AS x WHERE x.asset_id > 0 AND x.kind = 'reversal'
  ) AS m
  GROUP BY m.bucket, m.account
) AS t ON t.bucket = a.bucket AND t.account = a.id
WHERE a.role = 'wallet' AND a.spent <> coalesce(t.sum, 0);

-- usage : Difference*
-- A receipt's credits and nano-dollars are the sums of its transfers.
SELECT concat_ws(' ', 'receipt', u.id) AS subject,
       concat_ws(' ', u.amount, 'credits', u.nanos, 'nano-dollars') AS recorded,
       concat_ws(' ', coalesce(t.credits, 0), 'credits', coalesce(t.nanos, 0), 'nano-dollars') AS derived
FROM metering.usage AS u
LEFT JOIN (
  SELECT x.bucket, x.entry_id, sum(x.amount) FILTER (WHERE x.asset_id > 0) AS credits,
         sum(x.amount) FILTER (WHERE x.asset_id = 0) AS nanos
  FROM ledger.transfer AS x
  WHERE x.kind IN ('charge', 'capture', 'earning')
  GROUP BY x.bucket, x.entry_id
) AS t ON t.bucket = u.bucket AND t.entry_id = u.id
WHERE u.amount <> coalesce(t.credits, 0) OR u.nanos <> coalesce(t.nanos, 0);

-- usage_has_entries : Difference*
-- Every use was recorded under one idempotency key, and every such entry has its use.
SELECT concat_ws(' ', 'use', coalesce(u.id, e.id)) AS subject, coalesce(u.kind, 'no use') AS recorded,
       coalesce(e.kind, 'no entry') AS derived
FROM (SELECT x.* FROM ledger.entry AS x WHERE x.kind IN ('charge', 'capture', 'report')) AS e
FULL JOIN metering.usage AS u ON u.bucket = e.bucket AND u.id = e.id
WHERE e.id IS NULL OR u.id IS NULL OR e.kind <> u.kind OR e.account_id <> u.account_id;

-- captures : Difference*
-- A captured hold has one receipt, of what was captured.
SELECT concat_ws(' ', 'hold', coalesce(h.id, u.hold_id)) AS subject, coalesce(h.captured::text, 'not captured') AS recorded,
       coalesce(u.amount::text, 'no receipt') AS derived
FROM (SELECT x.* FROM ledger.hold AS x WHERE x.state = 'captured') AS h
FULL JOIN (
  SELECT x.bucket, x.hold_id, sum(x.amount) AS amount, count(*) AS receipts FROM metering.usage AS x
  WHERE x.kind = 'capture' GROUP BY x.bucket, x.hold_id
) AS u ON u.bucket = h.bucket AND u.hold_id = h.id
WHERE h.id IS NULL OR u.hold_id IS NULL OR u.receipts <> 1 OR h.captured <> u.amount;

-- reversals : Difference*
-- No more of a charge was given back than it took; what was given back and taken back is what its transfers say.
SELECT concat_ws(' ', 'charge', r.usage_id) AS subject,
       concat_ws(' ', r.amount, 'credits', r.nanos, 'nano-dollars') AS recorded,
       concat_ws(' ', coalesce(t.credits, 0), 'credits', coalesce(t.nanos, 0), 'nano-dollars of', u.amount) AS derived
FROM (
  SELECT x.bucket, x.usage_id, sum(x.amount) AS amount, sum(x.nanos) AS nanos, count(*) FILTER (WHERE x.whole) AS ends
  FROM metering.reversal AS x GROUP BY x.bucket, x.usage_id
) AS r
LEFT JOIN metering.usage AS u ON u.bucket = r.bucket AND u.id = r.usage_id
LEFT JOIN (
  SELECT v.bucket, v.usage_id, sum(x.amount) FILTER (WHERE x.asset_id > 0) AS credits,
         sum(x.amount) FILTER (WHERE x.asset_id = 0) AS nanos
  FROM metering.reversal AS v JOIN ledger.transfer AS x ON x.bucket = v.bucket AND x.entry_id = v.id
  GROUP BY v.bucket, v.usage_id
) AS t ON t.bucket = r.bucket AND t.usage_id = r.usage_id
WHERE u.id IS NULL OR r.amount > u.amount OR r.amount <> coalesce(t.credits, 0) OR r.nanos <> coalesce(t.nanos, 0)
   OR r.ends <> (r.amount = u.amount)::integer;

-- standings : Difference*
-- A model's uses, credits and nano-dollars are those of its counted uses, less what was reversed.
SELECT concat_ws(' ', 'model', coalesce(s.model_id, u.model_id), 'bucket', coalesce(s.bucket, u.bucket)) AS subject,
       concat_ws(' ', coalesce(s.uses, 0), 'uses', coalesce(s.credits, 0), 'credits', coalesce(s.nanos, 0), 'nano-dollars')
         AS recorded,
       concat_ws(' ', coalesce(u.uses, 0), 'uses', coalesce(u.credits, 0), 'credits', coalesce(u.nanos, 0), 'nano-dollars')
         AS derived
FROM earnings.standing AS s
FULL JOIN (
  SELECT x.bucket, x.model_id, count(*) - count(r.usage_id) FILTER (WHERE r.whole) AS uses,
         sum(x.credits - coalesce(r.amount, 0)) AS credits, sum(x.nanos - coalesce(r.nanos, 0)) AS nanos
  FROM metering.usage AS x
  LEFT JOIN (
    SELECT v.bucket, v.usage_id, sum(v.amount) AS amount, sum(v.nanos) AS nanos, bool_or(v.whole) AS whole
    FROM metering.reversal AS v GROUP BY v.bucket, v.usage_id
  ) AS r ON r.bucket = x.bucket AND r.usage_id = x.id
  WHERE x.counted
  GROUP BY x.bucket, x.model_id
) AS u ON u.bucket = s.bucket AND u.model_id = s.model_id
WHERE coalesce(s.uses, 0) <> coalesce(u.uses, 0) OR coalesce(s.credits, 0) <> coalesce(u.credits, 0)
   OR coalesce(s.nanos, 0) <> coalesce(u.nanos, 0);

-- model_earners : Difference*
-- So are those of each of its earners; the nano-dollars are those of the transfers to them.
SELECT concat_ws(' ', 'model', coalesce(s.model_id, u.model_id), 'earner', coalesce(s.earner_id, u.earner_id)) AS subject,
       concat_ws(' ', coalesce(s.uses, 0), 'uses', coalesce(s.credits, 0), 'credits', coalesce(s.nanos, 0), 'nano-dollars')
         AS recorded,
       concat_ws(' ', coalesce(u.uses, 0), 'uses', coalesce(u.credits, 0), 'credits', coalesce(u.nanos, 0), 'nano-dollars')
         AS derived
FROM earnings.model_earner AS s
FULL JOIN (
  SELECT m.bucket, m.model_id, m.earner_id, sum(m.uses) AS uses, sum(m.credits) AS credits, sum(m.nanos) AS nanos
  FROM (
    SELECT x.bucket, x.model_id, e.id AS earner_id, 1 AS uses, x.credits, 0 AS nanos
    FROM metering.usage AS x CROSS JOIN unnest(x.earners) AS e (id) WHERE x.counted
    UNION ALL
    SELECT x.bucket, x.model_id, e.id, -v.whole::integer, -v.amount, 0
    FROM metering.reversal AS v
    JOIN metering.usage AS x ON x.bucket = v.bucket AND x.id = v.usage_id AND x.counted
    CROSS JOIN unnest(x.earners) AS e (id)
    UNION ALL
    SELECT x.bucket, x.model_id, t.owner_id, 0, 0, t.amount
    FROM metering.usage AS x
    JOIN ledger.transfer AS t ON t.bucket = x.bucket AND t.entry_id = x.id AND t.asset_id = 0
    UNION ALL
    SELECT x.bucket, x.model_id, t.owner_id, 0, 0, -t.amount
    FROM metering.reversal AS v
    JOIN metering.usage AS x ON x.bucket = v.bucket AND x.id = v.usage_id
    JOIN ledger.transfer AS t ON t.bucket = v.bucket AND t.entry_id = v.id AND t.asset_id = 0
  ) AS m
  GROUP BY m.bucket, m.model_id, m.earner_id
) AS u ON u.bucket = s.bucket AND u.model_id = s.model_id AND u.earner_id = s.earner_id
WHERE coalesce(s.uses, 0) <> coalesce(u.uses, 0) OR coalesce(s.credits, 0) <> coalesce(u.credits, 0)
   OR coalesce(s.nanos, 0) <> coalesce(u.nanos, 0);

-- self_use : Difference*
-- Nobody earned by their own use.
SELECT concat_ws(' ', 'use', u.id) AS subject, u.nanos::text AS recorded, '0' AS derived
FROM metering.usage AS u
WHERE u.counted AND u.account_id = any(u.earners);

-- buckets : Difference*
-- An account's rows stand in its bucket.
SELECT concat_ws(' ', 'account', a.id) AS subject, a.bucket::text AS recorded, (mod(a.id, d.buckets))::text AS derived
FROM access.account AS a
CROSS JOIN access.deployment AS d
WHERE a.bucket <> mod(a.id, d.buckets);

-- sums : AssetSums*
-- The books in one view, an asset a row; what was issued is what is left, was spent or lapsed.
SELECT s.code AS asset, s.issued::text AS issued, s.spent::text AS spent, s.lapsed::text AS lapsed,
       coalesce(a.sum, 0)::text AS balances, (s.issued - s.spent - s.lapsed = coalesce(a.sum, 0)) AS balanced
FROM (
  SELECT x.id, x.code,
         coalesce(sum(t.amount) FILTER (WHERE t.kind IN ('grant', 'allowance', 'earning')), 0)
           - coalesce(sum(t.amount) FILTER (WHERE t.kind = 'reversal' AND t.asset_id = 0), 0) AS issued,
         coalesce(sum(t.amount) FILTER (WHERE t.kind IN ('charge', 'capture', 'purchase')), 0)
           - coalesce(sum(t.amount) FILTER (WHERE t.kind = 'reversal' AND t.asset_id > 0), 0)
           + coalesce(sum(t.amount) FILTER (WHERE t.kind = 'payout'), 0)
           - coalesce(sum(t.amount) FILTER (WHERE t.kind = 'payout_back'), 0) AS spent,
         coalesce(sum(t.amount) FILTER (WHERE t.kind = 'lapse'), 0) AS lapsed
  FROM ledger.asset AS x
  LEFT JOIN ledger.transfer AS t ON t.asset_id = x.id
  GROUP BY x.id, x.code
) AS s
LEFT JOIN (SELECT x.asset_id, sum(x.balance) AS sum FROM ledger.account AS x GROUP BY x.asset_id) AS a
  ON a.asset_id = s.id
ORDER BY s.id;

-- ratings : Difference*
-- A model's rating is the sum and the number of its published reviews.
SELECT concat_ws(' ', 'model', coalesce(g.model_id, r.model_id)) AS subject,
       concat_ws(' ', coalesce(g.stars, 0), 'stars', coalesce(g.reviews, 0), 'reviews') AS recorded,
       concat_ws(' ', coalesce(r.stars, 0), 'stars', coalesce(r.reviews, 0), 'reviews') AS derived
FROM market.rating AS g
FULL JOIN (
  SELECT x.model_id, sum(x.stars) AS stars, count(*) AS reviews FROM market.review AS x WHERE x.state = 'published'
  GROUP BY x.model_id
) AS r ON r.model_id = g.model_id
WHERE coalesce(g.stars, 0) <> coalesce(r.stars, 0) OR coalesce(g.reviews, 0) <> coalesce(r.reviews, 0);

-- purchases : Difference*
-- A purchase has one ownership and took its price; a refund ended one and gave as much back. Of the others, nothing
-- was paid: a transfer began them.
SELECT concat_ws(' ', 'entry', coalesce(e.id, o.entry_id)) AS subject,
       concat_ws(' ', coalesce(o.kind, 'no ownership'), o.price) AS recorded,
       concat_ws(' ', coalesce(e.kind, 'no entry'), e.amount) AS derived
FROM (
  SELECT x.id, x.account_id, x.kind, coalesce(sum(t.amount), 0) AS amount
  FROM ledger.entry AS x
  LEFT JOIN ledger.transfer AS t ON t.bucket = x.bucket AND t.entry_id = x.id
  WHERE x.kind IN ('purchase', 'refund')
  GROUP BY x.id, x.account_id, x.kind
) AS e
FULL JOIN (
  SELECT x.entry_id, x.account_id, 'purchase' AS kind, x.price_credits AS price FROM market.ownership AS x
  WHERE x.entry_id IS NOT NULL OR x.price_credits > 0
  UNION ALL
  SELECT x.refund_entry_id, x.account_id, 'refund', x.price_credits FROM market.ownership AS x
  WHERE x.refund_entry_id IS NOT NULL
) AS o ON o.entry_id = e.id
WHERE e.id IS NULL OR o.entry_id IS NULL OR e.kind <> o.kind OR e.account_id <> o.account_id OR e.amount <> o.price;
