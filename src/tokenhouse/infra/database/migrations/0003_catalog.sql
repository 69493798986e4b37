-- What is for sale and what it costs. A row belongs to the version that brought it and is never edited: a change is a
-- new row of a later version, a withdrawal a row marked retired. The latest row of an id holds.

create schema catalog;

create table catalog.version (
  id         integer generated always as identity primary key,
  digest     text not null,
  source     text not null,
  applied_at timestamptz not null default clock_timestamp()
);

create table catalog.credit_type (
  code     text collate "C" not null,
  version  integer not null references catalog.version,
  retired  boolean not null,
  asset_id smallint not null references ledger.asset,
  primary key (code, version)
);

-- price: units to credits per unit, as decimal strings; {} has no price and may not be used.
create table catalog.operation (
  id          text collate "C" not null,
  version     integer not null references catalog.version,
  retired     boolean not null,
  credit_type text not null,
  price       jsonb not null,
  tiers       jsonb not null,
  bulk        jsonb not null,
  primary key (id, version)
);

create table catalog.plan (
  id                   text collate "C" not null,
  version              integer not null references catalog.version,
  retired              boolean not null,
  name                 text not null,
  price_nanos          bigint check (price_nanos >= 0),
  paid_interval        text not null check (paid_interval in ('month', 'year', '30d')),
  allowances           jsonb not null,
  rollover             boolean not null,
  limits               jsonb not null,
  offered_to           text[] not null,
  lemonsqueezy_variant bigint,
  primary key (id, version)
);

create table catalog.top_up (
  id                   text collate "C" not null,
  version              integer not null references catalog.version,
  retired              boolean not null,
  credit_type          text not null,
  credits              bigint not null check (credits between 1 and 1000000000000000),
  price_nanos          bigint check (price_nanos >= 0),
  lemonsqueezy_variant bigint,
  primary key (id, version)
);

-- tiers: [[uses before this one, multiplier in basis points], …]; type_multipliers in basis points too.
create table catalog.earnings_policy (
  id               text collate "C" not null,
  version          integer not null references catalog.version,
  retired          boolean not null,
  per_use_nanos    bigint not null check (per_use_nanos >= 0),
  per_credit_nanos bigint not null check (per_credit_nanos >= 0),
  tiers            jsonb not null,
  type_multipliers jsonb not null,
  earn_on          text[] not null,
  kind             text,
  params           jsonb not null,
  primary key (id, version)
);
