-- Doors of the market: models, characters, ownership.

-- Which models these are (and those of these characters), and their versions, by column; unknown ones are left out.
create or replace function market.read_versions(
  p_model text[], p_character text[], out names text[], out characters bigint[], out models bigint[],
  out versions integer[]
)
language plpgsql stable as $$
declare
  v_names text[];
  v_characters bigint[];
  v_models bigint[];
  v_versions integer[];
begin
  if p_model <> '{}' then
    select array_agg(m.external_id), array_agg(null::bigint), array_agg(m.id), array_agg(m.version)
    into names, characters, models, versions
    from unnest(p_model) with ordinality n (_, i)
    cross join lateral (select * from market.model x where x.external_id = p_model[i] limit 1) m;
  end if;
  if p_character <> '{}' then
    select array_agg(c.external_id), array_agg(c.id), array_agg(m.id), array_agg(m.version)
    into v_names, v_characters, v_models, v_versions
    from unnest(p_character) with ordinality n (_, i)
    cross join lateral (
      select * from market.character x where x.external_id = p_character[i] and x.archived_at is null limit 1
    ) c
    cross join lateral (select * from market.model x where x.id = c.model_id limit 1) m;
    names := names || v_names;
    characters := characters || v_characters;
    models := models || v_models;
    versions := versions || v_versions;
  end if;
end $$;

-- What a use of these models needs to know. owners: JSON array of [account, app's id], in the order in which they
-- bought; earners: owners and creator.
create or replace function market.read_terms(p_model bigint[])
returns table (
  model_id bigint, external_id text, version integer, active boolean, monetized boolean, earnings_policy text,
  pricing_version integer, pricing jsonb, creator_id bigint, creator_external_id text, creator_share_bps integer,
  owners json, earners bigint[]
)
language plpgsql stable as $$
begin
  return query
  select m.id, m.external_id, m.version, m.active and m.archived_at is null, m.monetized, m.earnings_policy,
         m.pricing_version, p.pricing, m.creator_id, ci.external_id, m.creator_share_bps, o.owners,
         array_append(o.ids, m.creator_id)
  from unnest(p_model) k (id)
  join market.model m on m.id = k.id
  join market.pricing p on p.model_id = m.id and p.version = m.pricing_version
  left join access.identity ci on ci.account_id = m.creator_id
  cross join lateral (
    select json_agg(json_build_array(y.account_id, i.external_id) order by y.id) as owners,
           array_agg(y.account_id) as ids
    from market.ownership y
    left join access.identity i on i.account_id = y.account_id
    where y.model_id = m.id and y.ended_at is null
  ) o;
end $$;

-- Makes a model with its first price; returns its number. Unique violation: the id is taken.
create or replace function market.create_model(
  p_external_id text, p_name text, p_category text, p_description text, p_features jsonb, p_pricing jsonb,
  p_upstream_model text, p_provider text, p_price_credits bigint, p_premium boolean, p_active boolean,
  p_monetized boolean, p_creator bigint, p_ownership text, p_creator_share_bps integer, p_earnings_policy text,
  p_image_url text, p_approval text
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_id bigint;
begin
  perform access.require_platform();
  insert into market.model (external_id, name, category, description, features, upstream_model, provider,
                            price_credits, premium, active, monetized, creator_id, ownership, creator_share_bps,
                            earnings_policy, image_url, approval, pricing_version)
  values (p_external_id, p_name, p_category, p_description, p_features, p_upstream_model, p_provider, p_price_credits,
          p_premium, p_active, p_monetized, p_creator, p_ownership, p_creator_share_bps, p_earnings_policy,
          p_image_url, p_approval, 1)
  returning id into v_id;
  insert into market.pricing (model_id, version, pricing) values (v_id, 1, p_pricing);
  return v_id;
end $$;

-- Locks a model against other changes; returns how many own it, null where there is none that is not archived.
create or replace function market.lock_model(p_external_id text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_id bigint;
begin
  perform access.require_platform();
  select m.id into v_id from market.model m
  where m.external_id = p_external_id and m.archived_at is null for no key update;
  if v_id is null then
    return null;
  end if;
  return (select count(*) from market.ownership o where o.model_id = v_id and o.ended_at is null);
end $$;

-- Writes a model whole, as its service decided; a changed price becomes a new version. Call with the row locked.
create or replace function market.update_model(
  p_id bigint, p_name text, p_category text, p_description text, p_features jsonb, p_pricing jsonb,
  p_upstream_model text, p_provider text, p_price_credits bigint, p_premium boolean, p_active boolean,
  p_monetized boolean, p_creator bigint, p_ownership text, p_creator_share_bps integer, p_earnings_policy text,
  p_image_url text, p_approval text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_version integer;
begin
  perform access.require_platform();
  select m.pricing_version into v_version from market.model m where m.id = p_id for no key update;
  if (select p.pricing is distinct from p_pricing from market.pricing p
      where p.model_id = p_id and p.version = v_version) then
    v_version := v_version + 1;
    insert into market.pricing (model_id, version, pricing) values (p_id, v_version, p_pricing);
  end if;
  update market.model
  set name = p_name, category = p_category, description = p_description, features = p_features,
      upstream_model = p_upstream_model, provider = p_provider, price_credits = p_price_credits, premium = p_premium,
      active = p_active, monetized = p_monetized, creator_id = p_creator, ownership = p_ownership,
      creator_share_bps = p_creator_share_bps, earnings_policy = p_earnings_policy, image_url = p_image_url,
      approval = p_approval, pricing_version = v_version, updated_at = clock_timestamp()
  where id = p_id;
end $$;

-- Takes a model off the market for good; its records stay.
create or replace function market.archive_model(p_id bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update market.model set archived_at = clock_timestamp(), active = false, updated_at = clock_timestamp()
  where id = p_id and archived_at is null;
end $$;

create or replace function market.create_character(p_external_id text, p_name text, p_image_url text, p_model bigint)
returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_at timestamptz := clock_timestamp();
begin
  perform access.require_platform();
  insert into market.character (external_id, name, image_url, model_id, created_at)
  values (p_external_id, p_name, p_image_url, p_model, v_at);
  return v_at;
end $$;

-- Locks a character against other changes.
create or replace function market.lock_character(p_external_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform 1 from market.character c where c.external_id = p_external_id for no key update;
end $$;

-- Writes a character whole, as its service decided. Call with it locked.
create or replace function market.update_character(p_external_id text, p_name text, p_image_url text, p_model bigint)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update market.character set name = p_name, image_url = p_image_url, model_id = p_model
  where external_id = p_external_id;
end $$;

-- Takes a character off for good; receipts that name it stay as they are. Call with it locked.
create or replace function market.archive_character(p_external_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update market.character set archived_at = clock_timestamp() where external_id = p_external_id;
end $$;

-- Locks a model against being sold twice: [active, price, ownership, number of owners, owned by this account].
create or replace function market.lock_for_sale(p_model bigint, p_account bigint)
returns table (active boolean, price_credits bigint, ownership text, owners bigint, owned boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  perform 1 from market.model m where m.id = p_model for no key update;
  return query
  select m.active and m.archived_at is null, m.price_credits, m.ownership,
         (select count(*) from market.ownership o where o.model_id = m.id and o.ended_at is null),
         exists (select from market.ownership o
                 where o.model_id = m.id and o.account_id = p_account and o.ended_at is null)
  from market.model m where m.id = p_model;
end $$;

create or replace function market.own(p_model bigint, p_account bigint, p_price bigint, p_entry uuid, p_at timestamptz)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  insert into market.ownership (model_id, account_id, exclusive, price_credits, entry_id, bought_at)
  select p_model, p_account, m.ownership = 'exclusive', p_price, p_entry, p_at from market.model m where m.id = p_model;
end $$;
