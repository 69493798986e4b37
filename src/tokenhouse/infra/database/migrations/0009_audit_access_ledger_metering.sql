-- The record of who did what, the blocks that chain it and the ledger together, and what keeps both as they are.
-- docs/adr/0012-audit-chain.md says why it is so.

-- One row for every administrative and security act, written in the act's own transaction (access.record_act). It holds
-- no personal data: accounts are numbers, what a thing was before and after are digests, and so is where the caller
-- was. actor_id null: the platform's key, a command or the service itself, as `via` says. account_id: whom it concerns.
create table access.audit (
  id          bigint generated always as identity primary key,
  at          timestamptz not null,
  via         text not null check (via in ('api', 'cli', 'service')),
  actor_id    bigint,
  key_id      uuid,
  session_id  uuid,
  act         text collate "C" not null check (act ~ '^[a-z_]+\.[a-z_]+$'),
  target_kind text collate "C" not null check (target_kind ~ '^[a-z_]+$'),
  target_id   text collate "C" not null check (octet_length(target_id) between 1 and 200),
  account_id  bigint,
  before      bytea check (octet_length(before) = 32),
  after       bytea check (octet_length(after) = 32),
  origin      bytea check (octet_length(origin) = 32),
  request_id  text check (octet_length(request_id) <= 128)
);
create index audit_at on access.audit (at);
create index audit_of_actor on access.audit (actor_id, id);
create index audit_of_act on access.audit (act, id);
create index audit_of_target on access.audit (target_kind, target_id, id);

-- What belongs to an act and must be forgettable: the salt of its digests, without which nobody can guess what they
-- are of, and the caller's address. In no block; access.forget_acts takes it away with the person.
create table access.audit_private (
  audit_id   bigint primary key,
  actor_id   bigint,
  account_id bigint,
  salt       bytea not null check (octet_length(salt) = 16),
  address    text check (octet_length(address) <= 64)
);
create index audit_private_of_actor on access.audit_private (actor_id);
create index audit_private_of_account on access.audit_private (account_id);

-- Blocks of what was recorded before `until` and after the block before, with those that came late (late_*: committed
-- only after the block of their time was closed). seen: the snapshot of the closing; cluster: whose transactions it
-- counts. contents: the digest of the rows; previous: of the block before; digest: of this row's other columns.
create table access.audit_block (
  number       bigint primary key check (number > 0),
  made_at      timestamptz not null,
  until        timestamptz not null,
  seen         text not null,
  cluster      text not null,
  late_audits  bigint[] not null,
  late_entries uuid[] not null,
  first_audit  bigint,
  last_audit   bigint,
  audits       bigint not null,
  entries      bigint not null,
  transfers    bigint not null,
  contents     bytea not null,
  previous     bytea not null,
  digest       bytea not null unique
);

-- Rows are added, never changed: not by the owner either. A superuser, who could switch the trigger off, is let
-- through; the chain shows what was done. A statement's trigger: adding a row does not run it.
create function access.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from pg_catalog.pg_roles r where r.rolname = current_user and r.rolsuper) then
    raise exception '%.% is a record: rows are added to it, never changed', tg_table_schema, tg_table_name
      using errcode = '42501';
  end if;
  return null;
end $$;

create trigger kept before update or delete or truncate on access.audit
for each statement execute function access.refuse_change();
create trigger kept before update or delete or truncate on access.audit_block
for each statement execute function access.refuse_change();
create trigger kept before update or delete or truncate on ledger.transfer
for each statement execute function access.refuse_change();

-- What an app said in its own words (an idempotency key, a label, metadata) can be taken out with a person; the rest
-- of these rows stays as it is.
create trigger kept before delete or truncate or update of bucket, account_id, id, kind, recorded_at on ledger.entry
for each statement execute function access.refuse_change();
create trigger kept before delete or truncate or update of
  bucket, id, account_id, asset_id, kind, counted, usage_type, amount, credits, balance_after, nanos, reason, operation,
  rate_version, model_id, character_id, hold_id, earners, upstream_model, provider, cost_nanos, quantity, occurred_at,
  recorded_at
on metering.usage
for each statement execute function access.refuse_change();

-- For the closing of blocks, which reads by time. Rows come in that order, so a summary of each stretch of the table
-- does, and costs a charge nothing that can be measured.
create index entry_recorded on ledger.entry using brin (recorded_at) with (autosummarize = on);
create index transfer_recorded on ledger.transfer using brin (recorded_at) with (autosummarize = on);

alter table access.audit enable row level security;
alter table access.audit force row level security;
alter table access.audit_private enable row level security;
alter table access.audit_private force row level security;
alter table access.audit_block enable row level security;
alter table access.audit_block force row level security;
