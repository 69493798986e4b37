-- Keys that follow each other, invitations to organizations, and persons who were erased.

-- The key that a rotation put in this one's place.
alter table access.api_key add column replaced_by uuid;

-- When the person was erased: other processes then forget whose number an id was.
alter table access.account add column erased_at timestamptz;
create index account_erased on access.account (erased_at) where erased_at is not null;

-- An invitation that is open: accepting or revoking takes it away, and with it the address, which is personal data.
-- email: lower-cased. digest: the SHA-256 of the token in the mail. invited_by null: the platform.
create table access.invitation (
  id              uuid primary key,
  organization_id bigint not null references access.account,
  email           text not null,
  role            text not null check (role in ('member', 'admin', 'owner')),
  digest          bytea not null unique,
  invited_by      bigint references access.account,
  created_at      timestamptz not null,
  expires_at      timestamptz not null,
  unique (organization_id, email)
);
create index invitation_by_email on access.invitation (email);

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table access.invitation enable row level security;
alter table access.invitation force row level security;
