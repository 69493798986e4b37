-- Money for creators beside their models' uses (adjustments, bonuses), their goals, and uses that are held for review.

-- Who brought an account here: said once, for the bonus of that name.
alter table access.account add column referrer_id bigint references access.account check (referrer_id <> id);
create index account_of_referrer on access.account (referrer_id) where referrer_id is not null;

-- A bonus is a rule: what is to be reached (threshold) and what is paid for it, once. scope: whether each model reaches
-- it, or its creator with all models together.
create table catalog.bonus (
  id           text collate "C" not null,
  version      integer not null references catalog.version,
  retired      boolean not null,
  kind         text not null check (kind in ('uses', 'first_sale', 'referral', 'performance')),
  threshold    bigint not null check (threshold > 0),
  amount_nanos bigint not null check (amount_nanos > 0),
  scope        text not null check (scope in ('model', 'creator')),
  active       boolean not null,
  primary key (id, version)
);

-- What was paid to an earner, or taken back, but for no use. The transfers of the entry `id` move the money, in whichever
-- buckets it lay; this row stands in the account's own. rule and subject: what a bonus was paid for.
create table earnings.adjustment (
  bucket       smallint not null,
  id           uuid not null,
  account_id   bigint not null,
  kind         text not null check (kind in ('adjustment', 'bonus')),
  nanos        bigint not null check (nanos <> 0),
  model_id     bigint,
  reason       text not null,
  rule         text collate "C",
  rule_version integer,
  subject      text collate "C",
  recorded_at  timestamptz not null,
  primary key (bucket, id),
  check ((kind = 'bonus') = (rule is not null and rule_version is not null and subject is not null))
);
create index adjustment_of_account on earnings.adjustment (bucket, account_id, id);
create unique index adjustment_once on earnings.adjustment (rule, subject) where rule is not null;

-- What a creator wants to earn, with all models or with one, from `since` on and up to the end of the day `due_on` in
-- the account's zone.
create table earnings.goal (
  id         uuid primary key,
  account_id bigint not null,
  name       text,
  nanos      bigint not null check (nanos > 0),
  model_id   bigint,
  since      timestamptz not null,
  due_on     date,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);
create index goal_of_account on earnings.goal (account_id, id);

-- Uses of one model by one payer that look odd: those that count, happened from `since` on and were recorded before
-- `until`. What they earned is not payable while the review is open. uses, nanos: as they were when it was opened; reasons:
-- what was found, as data; taken, lost: nano-dollars that a rejection took from earners, and did not find there.
create table metering.review (
  bucket     smallint not null,
  id         uuid not null,
  account_id bigint not null,
  model_id   bigint not null,
  since      timestamptz not null,
  until      timestamptz not null check (until > since),
  earners    bigint[] not null,
  uses       bigint not null check (uses > 0),
  nanos      bigint not null check (nanos > 0),
  reasons    jsonb not null,
  state      text not null default 'open' check (state in ('open', 'cleared', 'rejected')),
  reason     text,
  taken      bigint check (taken >= 0),
  lost       bigint check (lost >= 0),
  opened_at  timestamptz not null,
  ended_at   timestamptz,
  primary key (bucket, id),
  check ((state = 'open') = (ended_at is null)),
  check ((state = 'rejected') = (taken is not null and lost is not null))
);
create index review_open on metering.review (bucket, model_id) where state = 'open';
create index review_of_use on metering.review (bucket, account_id, model_id, until);

-- A rejected use gives no credit back, and takes all that is left of what it earned.
alter table metering.reversal drop constraint reversal_amount_check;
alter table metering.reversal add constraint reversal_amount_check check (amount >= 0);

-- It has another row type from now on.
drop function if exists metering.accruals_of(bigint, uuid, integer);

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table catalog.bonus enable row level security;
alter table catalog.bonus force row level security;
alter table earnings.adjustment enable row level security;
alter table earnings.adjustment force row level security;
alter table earnings.goal enable row level security;
alter table earnings.goal force row level security;
alter table metering.review enable row level security;
alter table metering.review force row level security;
