-- Payouts gathered into files for a bank.

-- key, fingerprint: of the command that made it, so that it is made once. rate: 10^-9 of the currency per dollar.
-- skipped: [[id, code]] of payouts that were asked for and could not join. sealed: the file, which names payees and their
-- accounts; null once one of them was erased.
create table payouts.batch (
  id             uuid primary key,
  key            text collate "C" not null unique,
  fingerprint    text not null,
  format         text not null check (format in ('csv', 'pain.001')),
  currency       text not null check (currency in ('USD', 'EUR')),
  rate           bigint not null check (rate > 0),
  execution_date date not null,
  created_by     text not null,
  created_at     timestamptz not null,
  skipped        jsonb not null,
  sealed         bytea
);

-- A payout is in one batch at most. cents: what the bank is told to pay, of the batch's currency.
create table payouts.batched (
  bucket     smallint not null,
  payout_id  uuid not null,
  account_id bigint not null,
  batch_id   uuid not null,
  cents      bigint not null check (cents > 0),
  primary key (bucket, payout_id)
);
create index batched_of_batch on payouts.batched (batch_id, payout_id);
create index batched_of_account on payouts.batched (bucket, account_id);

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table payouts.batch enable row level security;
alter table payouts.batch force row level security;
alter table payouts.batched enable row level security;
alter table payouts.batched force row level security;
