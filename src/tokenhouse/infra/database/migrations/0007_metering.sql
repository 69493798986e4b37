-- The immutable facts of metered use.

create schema metering;

create domain metering.usage_kind as text check (value in ('charge', 'capture', 'report'));
create domain metering.usage_type as text check (value in ('chat', 'image_generation', 'other'));

-- amount: credits charged. credits: what counts as use and earns (a reported use charges nothing). counted: a use of
-- an owned model by somebody else, which tiers and analytics count. earners: whose use it counts as, those who got
-- nothing by it included. reason: why nothing was earned.
create table metering.usage (
  bucket         smallint not null,
  id             uuid not null,
  account_id     bigint not null,
  asset_id       smallint not null,
  kind           metering.usage_kind not null,
  counted        boolean not null,
  usage_type     metering.usage_type not null,
  amount         bigint not null check (amount >= 0),
  credits        bigint not null check (credits >= 0),
  balance_after  bigint not null,
  nanos          bigint not null check (nanos >= 0),
  reason         text,
  operation      text,
  rate_version   integer,
  model_id       bigint,
  character_id   bigint,
  hold_id        uuid,
  earners        bigint[],
  user_label     text,
  upstream_model text,
  provider       text,
  cost_nanos     bigint,
  quantity       jsonb,
  metadata       jsonb,
  occurred_at    timestamptz not null,
  recorded_at    timestamptz not null,
  primary key (bucket, id)
);
create index usage_of_account on metering.usage (bucket, account_id, id);
create index usage_of_model on metering.usage (bucket, model_id, id) where model_id is not null;

-- What was given back of a charge: credits to the payer, nano-dollars from the earners (lost_nanos: already paid out).
create table metering.reversal (
  bucket      smallint not null,
  id          uuid not null,
  usage_id    uuid not null,
  account_id  bigint not null,
  amount      bigint not null check (amount > 0),
  nanos       bigint not null check (nanos >= 0),
  lost_nanos  bigint not null check (lost_nanos >= 0),
  whole       boolean not null,
  reason      text not null,
  recorded_at timestamptz not null,
  primary key (bucket, id)
);
create index reversal_of_usage on metering.reversal (bucket, usage_id);

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table metering.usage enable row level security;
alter table metering.usage force row level security;
alter table metering.reversal enable row level security;
alter table metering.reversal force row level security;
