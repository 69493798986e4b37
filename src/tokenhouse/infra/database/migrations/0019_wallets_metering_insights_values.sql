-- What uses cost at the provider of the AI, and what they brought in. docs/rules.md has the rules.

-- The plan that an account was on, and since when; the first one counts for all before it.
create table wallets.plan_span (
  bucket     smallint not null,
  account_id bigint not null,
  since      timestamptz not null,
  plan_id    text not null,
  primary key (bucket, account_id, since)
);
insert into wallets.plan_span (bucket, account_id, since, plan_id)
select e.bucket, e.account_id, '-infinity', e.plan_id from wallets.enrolment e;

-- The operator's own prices of upstream models, in nano-dollars a million tokens. Rows are added, never changed: of
-- two that begin at the same time, the one of the later import holds. provider '': whoever provides the model.
create table metering.upstream_price (
  provider     text collate "C" not null check (octet_length(provider) <= 128),
  model        text collate "C" not null check (octet_length(model) between 1 and 128),
  valid_from   timestamptz not null,
  version      integer not null check (version > 0),
  input_nanos  bigint not null check (input_nanos >= 0),
  cached_nanos bigint not null check (cached_nanos >= 0),
  output_nanos bigint not null check (output_nanos >= 0),
  imported_at  timestamptz not null,
  primary key (provider, model, valid_from, version)
);

-- Uses that named no cost but tokens of an upstream model, and what those cost by a table of prices. nanos null: not
-- known (yet); tried: with which tables it was looked up last. What is known is never changed.
create table metering.cost (
  bucket   smallint not null,
  usage_id uuid not null,
  provider text not null,
  model    text not null,
  nanos    bigint check (nanos >= 0),
  source   text check (source in ('operator', 'genai-prices')),
  version  text,
  tried    text,
  primary key (bucket, usage_id),
  check ((nanos is null) = (source is null) and (nanos is null) = (version is null))
);
create index cost_open on metering.cost (tried) where nanos is null;

-- Sums by UTC day and month of what uses of all accounts came to, at the time of the use; a reversal takes away there.
-- kind: what is summed by (all, operation, model, plan, user, organization, …); owner_id, subject: one of those (an
-- account; an operation, a model, …). earned: nano-dollars
-- of earners; revenue: 10^-18 dollars, the worth of the credits; cost: nano-dollars at the provider, of `costed` uses.
create table insights.spend (
  bucket   smallint not null,
  kind     text not null,
  grain    text not null check (grain in ('day', 'month')),
  at       date not null,
  owner_id bigint not null,
  subject  text collate "C" not null,
  uses     bigint not null,
  credits  bigint not null,
  earned   bigint not null,
  revenue  numeric not null,
  cost     bigint not null,
  costed   bigint not null,
  primary key (bucket, kind, grain, at, owner_id, subject)
) with (fillfactor = 80);

-- For figures over all who earn.
create index cell_of_earners on insights.cell (bucket, grain, at) where cube = 'earner' and grain in ('day', 'month');

alter table wallets.plan_span enable row level security;
alter table wallets.plan_span force row level security;
alter table metering.upstream_price enable row level security;
alter table metering.upstream_price force row level security;
alter table metering.cost enable row level security;
alter table metering.cost force row level security;
alter table insights.spend enable row level security;
alter table insights.spend force row level security;
