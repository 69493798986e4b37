-- Figures kept ready: sums of use by the quarter hour, hour, day and month (UTC), derived from the records.
-- docs/adr/0015-rollups.md says why it is so.

-- Which transaction recorded a row. Everything below the lowest number of a snapshot's open transactions has ended and
-- can be seen, so that a mark between two numbers splits the records without looking at a clock. What was there before
-- bears this migration's number.
alter table metering.usage add column xact bigint not null default pg_current_xact_id()::text::bigint;
alter table metering.reversal add column xact bigint not null default pg_current_xact_id()::text::bigint;

-- Rows come in about that order, so a summary of each stretch of the table does, and costs a charge nothing that can be
-- measured. By the time of use too: what lies between a range's end and the next quarter hour is read from the records.
create index usage_rolled on metering.usage
using brin (xact, occurred_at timestamptz_minmax_multi_ops) with (pages_per_range = 16, autosummarize = on);
create index reversal_rolled on metering.reversal using brin (xact) with (pages_per_range = 16, autosummarize = on);

create schema insights;

create domain insights.grain as text check (value in ('quarter', 'hour', 'day', 'month'));

-- Up to which transaction the records are in the cells, and of which cluster's transactions that is a number.
create table insights.watermark (
  only_row  boolean primary key default true check (only_row),
  upto      bigint not null,
  cluster   text not null,
  rolled_at timestamptz not null
);
insert into insights.watermark (upto, cluster, rolled_at) values (0, '', clock_timestamp());

-- One sum: of a cube, its owner and what it is by, in the stretch of time that begins at `at`. What a cube is not by
-- is 0 or ''. uses, credits: charges and captures less what was given back; in the cubes of earners, others' uses of
-- their models. counted, counted_credits: others' uses of owned models, whoever asks. nanos: what was earned by them.
-- allowance, top_up: how much of the credits came from grants of that source. Amounts are integers whose sums may pass
-- 64 bits.
create table insights.cell (
  bucket          smallint not null,
  cube            text collate "C" not null,
  owner_id        bigint not null,
  grain           insights.grain collate "C" not null,
  at              timestamptz not null,
  model_id        bigint not null,
  asset_id        smallint not null,
  operation       text collate "C" not null,
  usage_type      text collate "C" not null,
  user_label      text collate "C" not null,
  uses            bigint not null,
  credits         numeric not null,
  counted         bigint not null,
  counted_credits numeric not null,
  nanos           numeric not null,
  cost_nanos      numeric not null,
  allowance       numeric not null,
  top_up          numeric not null,
  primary key (bucket, cube, owner_id, grain, at, model_id, asset_id, operation, usage_type, user_label)
) with (fillfactor = 80);
create index cell_of_model on insights.cell (bucket, cube, owner_id, model_id, grain, at) where model_id <> 0;
create index cell_of_payers on insights.cell (bucket, grain, at) where cube = 'payer';

-- Who used an earner's models (model_id 0: any of them), by day and by month (UTC); uses less those given back whole.
create table insights.audience (
  bucket     smallint not null,
  earner_id  bigint not null,
  model_id   bigint not null,
  grain      insights.grain collate "C" not null,
  at         timestamptz not null,
  account_id bigint not null,
  uses       bigint not null,
  primary key (bucket, earner_id, model_id, grain, at, account_id)
) with (fillfactor = 80);

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table insights.watermark enable row level security;
alter table insights.watermark force row level security;
alter table insights.cell enable row level security;
alter table insights.cell force row level security;
alter table insights.audience enable row level security;
alter table insights.audience force row level security;
