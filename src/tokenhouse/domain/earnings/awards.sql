-- lock_earnings : OwedColumns
-- Locks what an earner is owed, bucket by bucket.
SELECT e.buckets, e.accounts, e.balances FROM ledger.lock_earnings(%(account_id)s::bigint) AS e;

-- post_earnings : nothing
SELECT ledger.post_earnings(%(bucket)s::smallint, %(at)s::timestamptz, %(entries)s::ledger.entry[],
                            %(transfers)s::ledger.transfer[], %(earner)s::bigint[], %(nanos)s::bigint[]);

-- record_adjustment : nothing
SELECT earnings.record_adjustment(
  %(bucket)s::smallint, %(at)s::timestamptz, %(id)s::uuid, %(account_id)s::bigint, %(kind)s::text, %(nanos)s::bigint,
  %(model_id)s::bigint, %(reason)s::text, %(rule)s::text, %(rule_version)s::integer, %(subject)s::text);

-- lock_bonus : nothing
SELECT earnings.lock_bonus(%(rule)s::text);

-- bonuses_of : BonusView*
-- What an account was paid by bonuses, newest first.
SELECT a.id, a.rule, a.rule_version, a.subject, m.external_id AS model_id, a.nanos, a.recorded_at AS created_at
FROM earnings.adjustment AS a
LEFT JOIN market.model AS m ON m.id = a.model_id
WHERE a.bucket = %(bucket)s::smallint AND a.account_id = %(account_id)s::bigint AND a.kind = 'bonus'
  AND (%(before)s::uuid IS NULL OR a.id < %(before)s::uuid)
ORDER BY a.id DESC
LIMIT %(most)s::integer;

-- paid_subjects : str*
-- Of these subjects of a rule, those that were paid.
SELECT a.subject FROM earnings.adjustment AS a
WHERE a.rule = %(rule)s::text AND a.subject = any(%(subjects)s::text[]);

-- paid_of_period : int
-- How many were paid by a rule for a month.
SELECT count(*) AS paid FROM earnings.adjustment AS a
WHERE a.rule = %(rule)s::text AND starts_with(a.subject, %(period)s::text || ' ');

-- used_models : BonusDue*
-- Models with so many uses by others, whose bonus is not paid; it is the creator's, or else the first owner's.
SELECT 'model ' || s.model_id AS subject, coalesce(m.creator_id, o.account_id) AS account_id, m.id AS model_id
FROM (
  SELECT x.model_id, sum(x.uses) AS uses FROM earnings.standing AS x GROUP BY x.model_id
) AS s
JOIN market.model AS m ON m.id = s.model_id
LEFT JOIN LATERAL (
  SELECT x.account_id FROM market.ownership AS x
  WHERE x.model_id = m.id AND x.ended_at IS NULL ORDER BY x.id LIMIT 1
) AS o ON true
WHERE s.uses >= %(threshold)s::bigint AND coalesce(m.creator_id, o.account_id) IS NOT NULL
  AND NOT EXISTS (
    SELECT 1 FROM earnings.adjustment AS a WHERE a.rule = %(rule)s::text AND a.subject = 'model ' || s.model_id
  )
ORDER BY s.model_id
LIMIT %(most)s::integer;

-- used_earners : BonusDue*
-- Earners with so many uses by others over all their models, whose bonus is not paid.
SELECT 'creator ' || s.earner_id AS subject, s.earner_id AS account_id, null::bigint AS model_id
FROM (
  SELECT x.earner_id, sum(x.uses) AS uses FROM earnings.model_earner AS x GROUP BY x.earner_id
) AS s
WHERE s.uses >= %(threshold)s::bigint
  AND NOT EXISTS (
    SELECT 1 FROM earnings.adjustment AS a WHERE a.rule = %(rule)s::text AND a.subject = 'creator ' || s.earner_id
  )
ORDER BY s.earner_id
LIMIT %(most)s::integer;

-- sold_models : BonusDue*
-- Models that others than their creator bought for credits so often (a first sale: once), whose bonus is not paid.
SELECT 'model ' || m.id AS subject, m.creator_id AS account_id, m.id AS model_id
FROM market.ownership AS o
JOIN market.model AS m ON m.id = o.model_id
WHERE o.ended_at IS NULL AND o.price_credits > 0 AND o.account_id <> m.creator_id
  AND NOT EXISTS (
    SELECT 1 FROM earnings.adjustment AS a WHERE a.rule = %(rule)s::text AND a.subject = 'model ' || m.id
  )
GROUP BY m.id
HAVING count(*) >= %(threshold)s::bigint
ORDER BY m.id
LIMIT %(most)s::integer;

-- sellers : BonusDue*
-- The same by creator: whoever sold any model; the one sold first.
SELECT 'creator ' || m.creator_id AS subject, m.creator_id AS account_id,
       (array_agg(m.id ORDER BY o.id))[1] AS model_id
FROM market.ownership AS o
JOIN market.model AS m ON m.id = o.model_id
WHERE o.ended_at IS NULL AND o.price_credits > 0 AND o.account_id <> m.creator_id
  AND NOT EXISTS (
    SELECT 1 FROM earnings.adjustment AS a WHERE a.rule = %(rule)s::text AND a.subject = 'creator ' || m.creator_id
  )
GROUP BY m.creator_id
HAVING count(*) >= %(threshold)s::bigint
ORDER BY m.creator_id
LIMIT %(most)s::integer;

-- spenders : BonusDue*
-- Accounts that were referred and spent so many bought credits, of all types together, whose bonus is not paid.
SELECT 'account ' || r.id AS subject, r.referrer_id AS account_id, null::bigint AS model_id
FROM access.account AS r
CROSS JOIN LATERAL (
  SELECT sum(l.amount - l.remaining - l.lapsed) AS credits FROM wallets.lot AS l
  WHERE l.bucket = r.bucket AND l.account_id = r.id AND l.source = 'top_up'
) AS s
WHERE r.referrer_id IS NOT NULL AND s.credits >= %(threshold)s::bigint
  AND NOT EXISTS (
    SELECT 1 FROM earnings.adjustment AS a WHERE a.rule = %(rule)s::text AND a.subject = 'account ' || r.id
  )
ORDER BY r.id
LIMIT %(most)s::integer;

-- payees : BonusDue*
-- Whom the bonus of each of these models would be paid to; subject: the model's number.
SELECT m.id::text AS subject, coalesce(m.creator_id, o.account_id) AS account_id, m.id AS model_id
FROM unnest(%(models)s::bigint[]) WITH ORDINALITY AS n (id, place)
JOIN market.model AS m ON m.id = n.id
LEFT JOIN LATERAL (
  SELECT x.account_id FROM market.ownership AS x
  WHERE x.model_id = m.id AND x.ended_at IS NULL ORDER BY x.id LIMIT 1
) AS o ON true
WHERE coalesce(m.creator_id, o.account_id) IS NOT NULL
ORDER BY n.place;

-- in_force_since : datetime
-- When a bonus came into the catalog.
SELECT min(v.applied_at) AS at FROM catalog.bonus AS b JOIN catalog.version AS v ON v.id = b.version
WHERE b.id = %(rule)s::text;

-- adjusted : int*
-- What an account was paid by adjustments and bonuses, of one model or all, less what was taken back: between each of
-- ascending moments and the next.
SELECT coalesce(sum(a.nanos), 0)::bigint AS nanos
FROM unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) WITH ORDINALITY AS b (since, until, place)
LEFT JOIN earnings.adjustment AS a
  ON a.bucket = %(bucket)s::smallint AND a.account_id = %(account_id)s::bigint AND a.recorded_at >= b.since
  AND a.recorded_at < b.until
  AND (%(model_id)s::bigint IS NULL OR a.model_id = %(model_id)s::bigint)
GROUP BY b.place
ORDER BY b.place;
