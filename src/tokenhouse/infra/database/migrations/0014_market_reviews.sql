-- Pictures, approval and search of models; characters that are taken off; refunds and transfers; reviews.

alter table market.model
  add column image_url text,
  add column approval  text not null default 'approved' check (approval in ('approved', 'pending', 'rejected'));
create index model_of_category on market.model (category) where archived_at is null;
create index model_of_creator on market.model (creator_id) where creator_id is not null;
-- market.search says the same expression.
create index model_words on market.model using gin ((
  to_tsvector('simple', name) || to_tsvector('simple', category) || to_tsvector('simple', coalesce(description, ''))
  || to_tsvector('simple', features)
));

alter table market.character add column archived_at timestamptz;

-- entry_id: the purchase; null where the ownership came by a transfer. refund_entry_id: what gave the credits back.
alter table market.ownership
  alter column entry_id drop not null,
  add column refund_entry_id uuid;

-- What those who used a model say of it, each once. text null: none, or erased with its author.
create table market.review (
  model_id   bigint not null references market.model,
  account_id bigint not null references access.account,
  id         uuid not null unique,
  stars      smallint not null check (stars between 1 and 5),
  text       text check (char_length(text) between 1 and 2000),
  state      text not null check (state in ('published', 'hidden', 'pending')),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (model_id, account_id)
);
create index review_of_model on market.review (model_id, id);
create index review_of_account on market.review (account_id);

-- The sum and the number of a model's published reviews.
create table market.rating (
  model_id bigint primary key references market.model,
  stars    bigint not null default 0 check (stars between reviews and 5 * reviews),
  reviews  bigint not null default 0 check (reviews >= 0)
);

-- Whoever writes a review, its model's rating changes with it.
create function market.count_review() returns trigger
language plpgsql as $$
declare
  v_stars bigint := 0;
  v_reviews bigint := 0;
begin
  if tg_op <> 'DELETE' and new.state = 'published' then
    v_stars := new.stars;
    v_reviews := 1;
  end if;
  if tg_op <> 'INSERT' and old.state = 'published' then
    v_stars := v_stars - old.stars;
    v_reviews := v_reviews - 1;
  end if;
  if v_stars <> 0 or v_reviews <> 0 then
    insert into market.rating (model_id) values (coalesce(new.model_id, old.model_id)) on conflict do nothing;
    update market.rating set stars = stars + v_stars, reviews = reviews + v_reviews
    where model_id = coalesce(new.model_id, old.model_id);
  end if;
  return null;
end $$;
create trigger count_review after insert or update or delete on market.review
  for each row execute function market.count_review();

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table market.review enable row level security;
alter table market.review force row level security;
alter table market.rating enable row level security;
alter table market.rating force row level security;
