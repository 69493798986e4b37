-- Models and characters on offer, and who owns them.

create schema market;

-- version counts every change of a model or of who owns it: what was read of them holds until it rises.
create table market.model (
  id                bigint generated always as identity primary key,
  external_id       text collate "C" not null unique check (external_id ~ '^[A-Za-z0-9._:@-]{1,128}$'),
  name              text not null,
  category          text not null,
  description       text,
  features          jsonb not null default '[]',
  upstream_model    text,
  provider          text,
  price_credits     bigint not null check (price_credits between 0 and 1000000000000000),
  premium           boolean not null,
  active            boolean not null,
  monetized         boolean not null,
  creator_id        bigint references access.account,
  ownership         text not null check (ownership in ('exclusive', 'shared')),
  creator_share_bps integer not null check (creator_share_bps between 0 and 10000),
  earnings_policy   text,
  pricing_version   integer not null,
  version           integer not null default 1,
  archived_at       timestamptz,
  created_at        timestamptz not null default clock_timestamp(),
  updated_at        timestamptz not null default clock_timestamp()
);

-- What a use costs; a new price is a new row. pricing null: the operation's price holds.
create table market.pricing (
  model_id   bigint not null references market.model,
  version    integer not null,
  pricing    jsonb,
  created_at timestamptz not null default clock_timestamp(),
  primary key (model_id, version)
);

create table market.character (
  id          bigint generated always as identity primary key,
  external_id text collate "C" not null unique check (external_id ~ '^[A-Za-z0-9._:@-]{1,128}$'),
  name        text not null,
  image_url   text,
  model_id    bigint not null references market.model,
  created_at  timestamptz not null default clock_timestamp()
);
create index character_of_model on market.character (model_id, id);

create table market.ownership (
  id            bigint generated always as identity primary key,
  model_id      bigint not null references market.model,
  account_id    bigint not null references access.account,
  exclusive     boolean not null,
  price_credits bigint not null,
  entry_id      uuid not null,
  bought_at     timestamptz not null default clock_timestamp(),
  ended_at      timestamptz
);
create unique index ownership_once on market.ownership (model_id, account_id) where ended_at is null;
create unique index ownership_exclusive on market.ownership (model_id) where ended_at is null and exclusive;
create index ownership_of_account on market.ownership (account_id, id);

-- Every change of a model or of its owners raises the model's version, whoever makes it.
create function market.raise_version() returns trigger
language plpgsql as $$
begin
  new.version := old.version + 1;
  return new;
end $$;
create trigger raise_version before update on market.model for each row execute function market.raise_version();

create function market.touch_model() returns trigger
language plpgsql as $$
begin
  update market.model set updated_at = clock_timestamp() where id = coalesce(new.model_id, old.model_id);
  return null;
end $$;
create trigger touch_model after insert or update or delete on market.ownership
  for each row execute function market.touch_model();

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table market.model enable row level security;
alter table market.model force row level security;
alter table market.pricing enable row level security;
alter table market.pricing force row level security;
alter table market.character enable row level security;
alter table market.character force row level security;
alter table market.ownership enable row level security;
alter table market.ownership force row level security;
