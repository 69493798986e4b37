-- in_payout : Difference*
-- What left earners' balances and neither was sent nor came back is the sum of the open payouts.
SELECT concat_ws(' ', 'account', coalesce(t.owner_id, p.account_id)) AS subject, coalesce(p.sum, 0)::text AS recorded,
       coalesce(t.sum, 0)::text AS derived
FROM (
  SELECT x.owner_id, sum(CASE WHEN x.kind = 'payout' THEN x.amount ELSE -x.amount END) AS sum
  FROM ledger.transfer AS x WHERE x.kind IN ('payout', 'payout_paid', 'payout_back') GROUP BY x.owner_id
) AS t
FULL JOIN (
  SELECT x.account_id, sum(x.amount) AS sum FROM payouts.payout AS x
  WHERE x.state IN ('pending', 'processing', 'unknown') GROUP BY x.account_id
) AS p ON p.account_id = t.owner_id
WHERE coalesce(t.sum, 0) <> coalesce(p.sum, 0);

-- payouts : Difference*
-- A payout took its amount once, and sent it or gave it back once, bucket by bucket the same: its transfers say so.
SELECT concat_ws(' ', 'payout', coalesce(p.id, t.entry_id)) AS subject,
       concat_ws(' ', p.state, 'of', p.amount) AS recorded,
       concat_ws(' ', coalesce(t.kind, 'nothing'), coalesce(t.sum, 0)) AS derived
FROM (
  SELECT x.id, x.id AS entry_id, x.account_id, x.state::text AS state, x.amount, 'payout' AS kind FROM payouts.payout AS x
  UNION ALL
  SELECT x.id, x.ended_entry, x.account_id, x.state::text, x.amount,
         CASE WHEN x.state = 'completed' THEN 'payout_paid' ELSE 'payout_back' END
  FROM payouts.payout AS x WHERE x.ended_entry IS NOT NULL
) AS p
FULL JOIN (
  SELECT x.entry_id, x.kind, min(x.owner_id) AS owner_id, max(x.owner_id) AS other_id, sum(x.amount) AS sum
  FROM ledger.transfer AS x WHERE x.kind IN ('payout', 'payout_paid', 'payout_back') GROUP BY x.entry_id, x.kind
) AS t ON t.entry_id = p.entry_id AND t.kind = p.kind
WHERE p.id IS NULL OR t.entry_id IS NULL OR p.amount <> t.sum OR t.owner_id <> p.account_id OR t.other_id <> p.account_id;

-- payout_legs : Difference*
-- A payout's money stands where its steps say: out of the balance, on its way, sent or back.
SELECT concat_ws(' ', 'transfer', x.entry_id, 'bucket', x.bucket) AS subject,
       concat_ws(' to ', x.debit_id, x.credit_id) AS recorded, x.kind AS derived
FROM ledger.transfer AS x
WHERE (x.kind = 'payout' AND (x.debit_id <= 0 OR x.credit_id <> -5))
   OR (x.kind = 'payout_back' AND (x.debit_id <> -5 OR x.credit_id <= 0))
   OR (x.kind = 'payout_paid' AND (x.debit_id <> -5 OR x.credit_id <> -6))
   OR (x.kind NOT IN ('payout', 'payout_paid', 'payout_back') AND x.asset_id = 0
       AND least(x.debit_id, x.credit_id) IN (-5, -6));

-- payout_events : Difference*
-- The last state that was noted of a payout is its state.
SELECT concat_ws(' ', 'payout', coalesce(p.id, e.payout_id)) AS subject, coalesce(p.state::text, 'no payout') AS recorded,
       coalesce(e.state::text, 'no event') AS derived
FROM payouts.payout AS p
FULL JOIN (
  SELECT DISTINCT ON (x.bucket, x.payout_id) x.bucket, x.payout_id, x.account_id, x.state FROM payouts.event AS x
  ORDER BY x.bucket, x.payout_id, x.id DESC
) AS e ON e.bucket = p.bucket AND e.payout_id = p.id
WHERE p.id IS NULL OR e.payout_id IS NULL OR e.state <> p.state OR e.account_id <> p.account_id;
