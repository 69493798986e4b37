-- Payouts: earnings on their way out, how each account is paid, and what is paid by itself.

create schema payouts;

create domain payouts.state as text check (value in (
  'pending', 'processing', 'completed', 'failed', 'cancelled', 'unknown'
));

-- id: of the entry that took the money from the balance; its transfers say from which buckets. ended_entry: of the one
-- that sent it away (completed) or gave it back (failed, cancelled). requested_by, approved_by: who, in one word: the
-- account's number, the key, the platform, the service. sent_at: when a method was told to send it, which happens once;
-- accepted_at: when it said that it will; looked_at: when it was last asked. reference: the method's own name for it.
create table payouts.payout (
  bucket       smallint not null,
  id           uuid not null,
  account_id   bigint not null,
  amount       bigint not null check (amount > 0),
  method       text not null,
  state        payouts.state not null,
  requested_by text not null,
  approved_by  text,
  reference    text,
  reason       text,
  ended_entry  uuid,
  requested_at timestamptz not null,
  sent_at      timestamptz,
  accepted_at  timestamptz,
  looked_at    timestamptz,
  ended_at     timestamptz,
  primary key (bucket, id),
  check ((state in ('completed', 'failed', 'cancelled')) = (ended_entry is not null)),
  check ((ended_entry is null) = (ended_at is null)),
  check (state <> 'unknown' or sent_at is not null)
);
create index payout_of_account on payouts.payout (bucket, account_id, id);
create index payout_open on payouts.payout (bucket, id) where state in ('pending', 'processing', 'unknown');

-- Every state that a payout was in; rows are only added.
create table payouts.event (
  id         bigint generated always as identity primary key,
  bucket     smallint not null,
  payout_id  uuid not null,
  account_id bigint not null,
  state      payouts.state not null,
  by         text not null,
  reason     text,
  at         timestamptz not null
);
create index event_of_payout on payouts.event (bucket, payout_id, id);

-- How an account is paid. sealed: the payee's details as JSON, sealed for this row; hint: as much of them as may be shown.
create table payouts.method (
  account_id bigint primary key references access.account,
  kind       text not null,
  sealed     bytea not null,
  hint       text not null,
  changed_at timestamptz not null default clock_timestamp()
);

-- What is paid out by itself: on a day of the week or the month, or once there is enough. looked_on: the last day of the
-- account's own calendar for which it was decided.
create table payouts.schedule (
  account_id bigint primary key references access.account,
  every      text not null check (every in ('week', 'month', 'threshold')),
  day        smallint not null check (day between 0 and 31),
  minimum    bigint not null check (minimum >= 0),
  looked_on  date not null,
  changed_at timestamptz not null default clock_timestamp()
);

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table payouts.payout enable row level security;
alter table payouts.payout force row level security;
alter table payouts.event enable row level security;
alter table payouts.event force row level security;
alter table payouts.method enable row level security;
alter table payouts.method force row level security;
alter table payouts.schedule enable row level security;
alter table payouts.schedule force row level security;
