-- current_version : VersionRow
-- The version in force.
SELECT v.id, v.digest FROM catalog.version AS v ORDER BY v.id DESC LIMIT 1;

-- credit_types : CreditTypeRow*
-- Every credit type there ever was, as it is now.
SELECT DISTINCT ON (c.code) c.code, c.asset_id, c.retired
FROM catalog.credit_type AS c
ORDER BY c.code, c.version DESC;

-- operations : OperationRow*
SELECT DISTINCT ON (o.id)
  o.id, o.version, o.retired, o.credit_type, o.price::text AS price, o.tiers::text AS tiers, o.bulk::text AS bulk
FROM catalog.operation AS o
ORDER BY o.id, o.version DESC;

-- plans : PlanRow*
SELECT DISTINCT ON (p.id)
  p.id, p.version, p.retired, p.name, p.price_nanos, p.paid_interval, p.allowances::text AS allowances, p.rollover,
  p.limits::text AS limits, p.offered_to, p.lemonsqueezy_variant
FROM catalog.plan AS p
ORDER BY p.id, p.version DESC;

-- top_ups : TopUpRow*
SELECT DISTINCT ON (t.id)
  t.id, t.version, t.retired, t.credit_type, t.credits, t.price_nanos, t.lemonsqueezy_variant
FROM catalog.top_up AS t
ORDER BY t.id, t.version DESC;

-- policies : PolicyRow*
SELECT DISTINCT ON (e.id)
  e.id, e.version, e.retired, e.per_use_nanos, e.per_credit_nanos, e.tiers::text AS tiers,
  e.type_multipliers::text AS type_multipliers, e.earn_on, e.kind, e.params::text AS params
FROM catalog.earnings_policy AS e
ORDER BY e.id, e.version DESC;

-- bonuses : BonusRow*
SELECT DISTINCT ON (b.id) b.id, b.version, b.retired, b.kind, b.threshold, b.amount_nanos, b.scope, b.active
FROM catalog.bonus AS b
ORDER BY b.id, b.version DESC;

-- applied_source : str
-- The file that was applied last, word for word.
SELECT v.source FROM catalog.version AS v ORDER BY v.id DESC LIMIT 1;

-- lock : nothing
-- One at a time applies a catalog; those who charge do not wait for it.
SELECT catalog.lock();

-- apply : int
-- The new version, which holds the changed rows only.
SELECT catalog.apply(%(digest)s::text, %(source)s::text, %(changes)s::jsonb) AS version;
