-- Accounts, entries, transfers and holds.

create schema ledger;

-- A domain, not a check on the table: it costs nothing where the column does not change.
create domain ledger.role as text check (value in ('wallet', 'earnings'));

-- What is counted: asset 0 is US dollars in nano-dollars, the others are credit types in whole credits.
create table ledger.asset (
  id   smallint primary key check (id >= 0),
  code text collate "C" not null unique
);
insert into ledger.asset (id, code) values (0, 'USD');

-- Balances that may not fall below zero are kept here and changed under their row's lock. Platform accounts have no
-- floor and therefore no row: their balance is the sum of their transfers (domain/ledger/chart.py gives their ids,
-- all below zero). due_at: when time next changes this account (a renewal, an expiry); set by the wallets.
create table ledger.account (
  bucket        smallint not null,
  owner_id      bigint not null,
  asset_id      smallint not null,
  role          ledger.role not null,
  id            bigint generated always as identity,
  balance       bigint not null default 0 check (balance >= 0),
  held          bigint not null default 0 check (held >= 0),
  spent         bigint not null default 0,
  spent_mark    bigint not null default 0,
  last_spent_at timestamptz,
  due_at        timestamptz,
  created_at    timestamptz not null default clock_timestamp(),
  primary key (bucket, owner_id, asset_id, role),
  check (held <= balance)
) with (fillfactor = 70);
create index account_due on ledger.account (bucket, due_at) where due_at is not null;

-- One row for every command that moved or set aside value, named by its idempotency key: the first answer, for ever.
-- Keys of the service's own acts begin with a space, which an app's keys cannot. No foreign keys on the hot tables:
-- they cost half as much again (docs/adr); `tokenhouse verify` proves the same.
create table ledger.entry (
  bucket      smallint not null,
  account_id  bigint not null,
  key         text collate "C" not null,
  id          uuid not null,
  kind        text not null,
  fingerprint bytea not null,
  answer      json,
  recorded_at timestamptz not null,
  primary key (bucket, account_id, key)
);

-- An immutable positive move between two ledger accounts of one asset. owner_id: the tenant at its one side; lot_id:
-- the grant that was moved.
create table ledger.transfer (
  bucket      smallint not null,
  entry_id    uuid not null,
  leg         smallint not null,
  kind        text not null,
  asset_id    smallint not null,
  debit_id    bigint not null,
  credit_id   bigint not null,
  amount      bigint not null check (amount > 0),
  owner_id    bigint not null,
  lot_id      bigint,
  recorded_at timestamptz not null,
  primary key (bucket, entry_id, leg),
  check (debit_id <> credit_id)
);
create index transfer_of_earner on ledger.transfer (bucket, owner_id, entry_id) where asset_id = 0;

create table ledger.hold (
  bucket     smallint not null,
  id         uuid not null,
  account_id bigint not null,
  asset_id   smallint not null,
  amount     bigint not null check (amount >= 0),
  state      text not null default 'live' check (state in ('live', 'captured', 'voided', 'expired')),
  captured   bigint check (captured between 0 and amount),
  expires_at timestamptz not null,
  created_at timestamptz not null,
  ended_at   timestamptz,
  details    jsonb not null,
  primary key (bucket, id),
  check ((state = 'live') = (ended_at is null)),
  check ((state = 'captured') = (captured is not null))
) with (fillfactor = 70);
create index hold_due on ledger.hold (bucket, expires_at) where state = 'live';
create index hold_live on ledger.hold (bucket, account_id, asset_id) where state = 'live';

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table ledger.asset enable row level security;
alter table ledger.asset force row level security;
alter table ledger.account enable row level security;
alter table ledger.account force row level security;
alter table ledger.entry enable row level security;
alter table ledger.entry force row level security;
alter table ledger.transfer enable row level security;
alter table ledger.transfer force row level security;
alter table ledger.hold enable row level security;
alter table ledger.hold force row level security;
