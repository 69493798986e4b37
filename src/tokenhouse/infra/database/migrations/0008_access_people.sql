-- Who signs in, and where they are signed in. All of it is personal data: these rows may be deleted without touching a
-- record, for nothing refers to them.

-- A person's e-mail as it is matched (lower-cased), what their password is checked against, and what they are to the
-- platform. hash null: no password was ever set.
create table access.credential (
  account_id    bigint primary key references access.account,
  email         text collate "C" not null unique check (length(email) between 3 and 320),
  hash          text,
  verified_at   timestamptz,
  disabled_at   timestamptz,
  platform_role text check (platform_role in ('admin', 'support', 'auditor')),
  created_at    timestamptz not null default clock_timestamp()
);

-- digest: SHA-256 of the token, which stands in the cookie and nowhere else.
create table access.session (
  id         uuid primary key,
  account_id bigint not null references access.account,
  digest     bytea not null unique check (length(digest) = 32),
  created_at timestamptz not null default clock_timestamp(),
  seen_at    timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  address    text,
  user_agent text check (length(user_agent) <= 200)
);
create index session_by_account on access.session (account_id, id);

-- What was sent by mail, to be used once.
create table access.mail_token (
  digest     bytea primary key check (length(digest) = 32),
  account_id bigint not null references access.account,
  purpose    text not null check (purpose in ('verify', 'reset')),
  expires_at timestamptz not null,
  used_at    timestamptz
);
create index mail_token_by_account on access.mail_token (account_id, purpose);

alter table access.credential enable row level security;
alter table access.credential force row level security;
alter table access.session enable row level security;
alter table access.session force row level security;
alter table access.mail_token enable row level security;
alter table access.mail_token force row level security;
