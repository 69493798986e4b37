-- One log of what moved an account's balances, exports of it, and forecasts.

create schema if not exists insights;

-- What moved credits but was no charge, by whose it is: grants, purchases, renewals, reversals. Charges and captures
-- are not in it, so that it costs them nothing; metering.usage has an index of theirs.
create index transfer_of_owner on ledger.transfer (bucket, owner_id, entry_id)
where asset_id <> 0 and kind not in ('charge', 'capture');

-- An export that was asked for, made by the jobs process; its file is named by its id. asked: the filters. total: rows
-- that there were when it began; rows: those written so far. expired: the file was deleted.
create table insights.export_job (
  id           uuid primary key,
  account_id   bigint not null references access.account,
  kind         text not null check (kind in ('usage', 'earnings', 'transactions')),
  format       text not null check (format in ('csv', 'xlsx', 'parquet')),
  asked        jsonb not null,
  state        text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'expired')),
  total        bigint check (total >= 0),
  rows         bigint not null default 0 check (rows >= 0),
  bytes        bigint check (bytes >= 0),
  tries        smallint not null default 0,
  trouble      text,
  requested_at timestamptz not null default clock_timestamp(),
  ended_at     timestamptz,
  check ((state in ('queued', 'running')) = (ended_at is null))
);
create index export_job_of_account on insights.export_job (account_id, id);
create index export_job_open on insights.export_job (id) where state in ('queued', 'running');

-- What an account's earnings will be, in nano-dollars: made once a day, and when asked for (wanted). as_of: the last
-- whole day that it is made of, in the account's time zone; days: how many it had. No method: not enough of them.
create table insights.forecast (
  account_id bigint primary key references access.account,
  wanted     boolean not null default true,
  made_at    timestamptz,
  as_of      date,
  days       integer check (days >= 0),
  method     text,
  mean_30    bigint,
  low_30     bigint,
  high_30    bigint,
  mean_90    bigint,
  low_90     bigint,
  high_90    bigint
);
create index forecast_wanted on insights.forecast (account_id) where wanted;

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table insights.export_job enable row level security;
alter table insights.export_job force row level security;
alter table insights.forecast enable row level security;
alter table insights.forecast force row level security;
