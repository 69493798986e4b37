-- What a wallet's balance is made of, and the plan that renews it.

create schema wallets;

create domain wallets.source as text
  check (value in ('allowance', 'top_up', 'gift', 'refund', 'bonus', 'promotion', 'adjustment'));

create sequence wallets.lot_id;

-- A grant. remaining + lapsed + what was spent = amount; spending a grant is a transfer that names it (lot_id).
create table wallets.lot (
  bucket            smallint not null,
  account_id        bigint not null,
  asset_id          smallint not null,
  id                bigint not null,
  source            wallets.source not null,
  amount            bigint not null check (amount > 0),
  remaining         bigint not null check (remaining between 0 and amount),
  lapsed            bigint not null default 0 check (lapsed between 0 and amount),
  priority          integer not null,
  expires_at        timestamptz,
  period_started_at timestamptz,
  entry_id          uuid not null,
  note              text,
  created_at        timestamptz not null,
  primary key (bucket, account_id, asset_id, id)
) with (fillfactor = 70);

-- The plan an account is on. The period's bounds are stored, so that a change of time zone moves the next period only.
create table wallets.enrolment (
  bucket            smallint not null,
  account_id        bigint not null,
  plan_id           text not null,
  anchor            timestamptz not null,
  period_started_at timestamptz not null,
  renews_at         timestamptz not null,
  changed_at        timestamptz not null,
  primary key (bucket, account_id),
  check (renews_at > period_started_at)
);

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table wallets.lot enable row level security;
alter table wallets.lot force row level security;
alter table wallets.enrolment enable row level security;
alter table wallets.enrolment force row level security;
