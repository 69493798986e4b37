-- What models earned: aggregates right at every commit, kept beside the payers (one row a bucket; a total is their sum).

create schema earnings;

-- Uses by others of a model, for its tiers and analytics.
create table earnings.standing (
  bucket       smallint not null,
  model_id     bigint not null,
  uses         bigint not null default 0,
  credits      bigint not null default 0,
  nanos        bigint not null default 0,
  last_used_at timestamptz,
  primary key (bucket, model_id)
) with (fillfactor = 20);

-- The same for each earner of a model: the sources' model_creator_earnings.
create table earnings.model_earner (
  bucket       smallint not null,
  model_id     bigint not null,
  earner_id    bigint not null,
  uses         bigint not null default 0,
  credits      bigint not null default 0,
  nanos        bigint not null default 0,
  last_used_at timestamptz,
  created_at   timestamptz not null,
  updated_at   timestamptz not null,
  primary key (bucket, model_id, earner_id)
) with (fillfactor = 20);
create index model_earner_of_earner on earnings.model_earner (earner_id, model_id);

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table earnings.standing enable row level security;
alter table earnings.standing force row level security;
alter table earnings.model_earner enable row level security;
alter table earnings.model_earner force row level security;
