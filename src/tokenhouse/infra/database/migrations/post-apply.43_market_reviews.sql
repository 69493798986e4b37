-- Doors of reviews, and the search that an index serves.

-- The models in which all of these words stand (`'word':* & …`). Row-level security would keep the index from being
-- used: a tenant sees every model anyway, and this tells their numbers only.
create or replace function market.search(p_words text) returns setof bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select m.id from market.model m
  where access.scope() is not null
    and to_tsvector('simple', m.name) || to_tsvector('simple', m.category)
        || to_tsvector('simple', coalesce(m.description, '')) || to_tsvector('simple', m.features)
        @@ to_tsquery('simple', p_words)
$$;

-- Writes what an account says of a model: its one review, made or changed. What was hidden, or waits for approval,
-- waits for it after a change.
create or replace function market.write_review(
  p_id uuid, p_model bigint, p_account bigint, p_stars smallint, p_text text, p_state text
) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_id uuid;
begin
  perform access.require_platform();
  insert into market.review as r (model_id, account_id, id, stars, text, state, created_at, updated_at)
  values (p_model, p_account, p_id, p_stars, p_text, p_state, clock_timestamp(), clock_timestamp())
  on conflict (model_id, account_id) do update
  set stars = excluded.stars, text = excluded.text, updated_at = excluded.updated_at,
      state = case r.state when 'published' then excluded.state else 'pending' end
  returning r.id into v_id;
  return v_id;
end $$;

create or replace function market.remove_review(p_model bigint, p_account bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  delete from market.review r where r.model_id = p_model and r.account_id = p_account;
  return found;
end $$;

-- Publishes or hides a review; returns what it was before, null where there is none.
create or replace function market.moderate_review(p_id uuid, p_state text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_before text;
begin
  perform access.require_platform();
  select r.state into v_before from market.review r where r.id = p_id for update;
  update market.review r set state = p_state where r.id = p_id and r.state <> p_state;
  return v_before;
end $$;

-- Reviews, the newest first: those that are published, one's own, and for the platform all. Of a model, by an account,
-- in a state, with an id, before another (each null: of any). author: a pseudonym, the same for all who read, another
-- for each model; account_id: the app's id, for the platform and the author.
create or replace function market.read_reviews(
  p_model bigint, p_account bigint, p_state text, p_id uuid, p_before uuid, p_most integer
) returns table (
  id uuid, model_id text, author text, account_id text, stars smallint, text text, state text, created_at timestamptz,
  updated_at timestamptz
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_scope bigint[] := access.scope();
begin
  if v_scope is null then
    return;
  end if;
  return query
  select r.id, m.external_id, access.pseudonym(-r.model_id, r.account_id),
         case when r.account_id = any (v_scope) or 0 = any (v_scope) then i.external_id end,
         r.stars, r.text, r.state, r.created_at, r.updated_at
  from market.review r
  join market.model m on m.id = r.model_id
  left join access.identity i on i.account_id = r.account_id
  where (p_model is null or r.model_id = p_model) and (p_account is null or r.account_id = p_account)
    and (p_state is null or r.state = p_state) and (p_id is null or r.id = p_id)
    and (p_before is null or r.id < p_before)
    and (r.state = 'published' or r.account_id = any (v_scope) or 0 = any (v_scope))
  order by r.id desc
  limit p_most;
end $$;
