-- Who signs in by a provider of OpenID Connect: the issuer's own name for a person, tied to their account. Personal data:
-- these rows may be deleted without touching a record.

create table access.external_identity (
  issuer     text collate "C" not null check (length(issuer) between 1 and 500),
  subject    text collate "C" not null check (length(subject) between 1 and 255),
  account_id bigint not null references access.account,
  created_at timestamptz not null default clock_timestamp(),
  primary key (issuer, subject)
);
create index external_identity_by_account on access.external_identity (account_id);

alter table access.external_identity enable row level security;
alter table access.external_identity force row level security;
