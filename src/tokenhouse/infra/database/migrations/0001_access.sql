-- Who is here. Everything is owned by th_owner; the service's roles get SELECT under row-level
-- security and EXECUTE on functions, never INSERT, UPDATE or DELETE (post-apply.90_guard.sql grants and checks it).

create schema access;

-- The key of the tenant tokens, with its HMAC pads worked out once. Readable by th_owner alone.
create table access.secret (
  ik  bytea not null,
  ok  bytea not null,
  key bytea not null
);

-- The number of buckets is fixed when the database is made: keys of the hot tables begin with it.
create table access.deployment (
  only_row   boolean primary key default true check (only_row),
  buckets    smallint not null check (buckets between 1 and 1024),
  created_at timestamptz not null default clock_timestamp()
);

-- An account is a number here; the app's own id, name and e-mail stand in access.identity alone, so that a person can
-- be erased without touching a record.
create table access.account (
  id         bigint generated always as identity primary key,
  bucket     smallint not null,
  kind       text not null check (kind in ('user', 'organization')),
  time_zone  text not null default 'UTC',
  created_at timestamptz not null default clock_timestamp()
);

create table access.identity (
  account_id  bigint primary key references access.account,
  external_id text collate "C" not null unique check (external_id ~ '^[A-Za-z0-9._:@-]{1,128}$'),
  name        text not null,
  email       text
);

create table access.member (
  organization_id bigint not null references access.account,
  user_id         bigint not null references access.account,
  role            text not null check (role in ('member', 'admin', 'owner')),
  created_at      timestamptz not null default clock_timestamp(),
  primary key (organization_id, user_id)
);
create index member_by_user on access.member (user_id);

-- account_id null: a platform key. scopes null: the account's own rights.
create table access.api_key (
  id           uuid primary key,
  account_id   bigint references access.account,
  name         text not null,
  digest       bytea not null unique,
  hint         text not null,
  scopes       text[],
  created_at   timestamptz not null default clock_timestamp(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz
);
create index api_key_by_account on access.api_key (account_id, id);

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table access.account enable row level security;
alter table access.account force row level security;
alter table access.identity enable row level security;
alter table access.identity force row level security;
alter table access.member enable row level security;
alter table access.member force row level security;
alter table access.api_key enable row level security;
alter table access.api_key force row level security;
alter table access.deployment enable row level security;
alter table access.deployment force row level security;
