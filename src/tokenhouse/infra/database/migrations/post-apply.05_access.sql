-- Doors of access. A teller's token (-1 in its scope) may post for the accounts that it names; the platform's (0) may
-- change who is here.

-- The scope of a token that may post. Raises TH403 for any other.
create or replace function access.teller_scope() returns bigint[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_scope bigint[] := access.scope();
begin
  if v_scope is null or not (-1 = any (v_scope)) then
    raise exception 'this token may not post' using errcode = 'TH403';
  end if;
  return v_scope;
end $$;

-- Raises TH403 unless the token may post for each of these accounts. NULL is nobody's.
create or replace function access.require_teller_of(p_accounts bigint[]) returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_scope bigint[] := access.teller_scope();
begin
  if p_accounts is null or (not 0 = any (v_scope) and exists (
    -- by hash: `<@` compares every account with every other
    select unnest(p_accounts) except select unnest(v_scope)
  )) then
    raise exception 'an account outside of this token' using errcode = 'TH403';
  end if;
end $$;

-- Makes an account with its identity; returns its number. Unique violation: the id is taken.
create or replace function access.create_account(
  p_external_id text, p_kind text, p_name text, p_email text, p_time_zone text
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_id bigint := nextval(pg_get_serial_sequence('access.account', 'id'));
begin
  perform access.require_platform();
  insert into access.account (id, bucket, kind, time_zone) overriding system value
  select v_id, (v_id % d.buckets)::smallint, p_kind, p_time_zone from access.deployment d;
  insert into access.identity (account_id, external_id, name, email) values (v_id, p_external_id, p_name, p_email);
  return v_id;
end $$;

-- Who an account is does not change until the transaction ends: what is read then is what is changed.
create or replace function access.lock_account(p_id bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform 1 from access.identity i where i.account_id = p_id for no key update;
end $$;

-- Changes what is given (null: as it is; an empty e-mail takes it away).
create or replace function access.update_account(p_id bigint, p_name text, p_email text, p_time_zone text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.identity set name = coalesce(p_name, name), email = nullif(coalesce(p_email, email), '')
  where account_id = p_id;
  update access.account set time_zone = coalesce(p_time_zone, time_zone) where id = p_id;
end $$;

create or replace function access.create_key(
  p_id uuid, p_account bigint, p_name text, p_digest bytea, p_hint text, p_scopes text[], p_expires_at timestamptz
) returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_at timestamptz := clock_timestamp();
begin
  perform access.require_platform();
  insert into access.api_key (id, account_id, name, digest, hint, scopes, created_at, expires_at)
  values (p_id, p_account, p_name, p_digest, p_hint, p_scopes, v_at, p_expires_at);
  return v_at;
end $$;

-- True where the key was there, this account's (null: the platform's), and live.
create or replace function access.revoke_key(p_account bigint, p_id uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.api_key set revoked_at = clock_timestamp()
  where id = p_id and account_id is not distinct from p_account and revoked_at is null;
  return found;
end $$;

-- Last use, to the minute: a key in use costs one write a minute, not one a call.
create or replace function access.touch_keys(p_ids uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.api_key set last_used_at = clock_timestamp()
  where id = any (p_ids) and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute');
end $$;

-- What one account may know another by: the same every time, another for every viewer, nobody's to turn round. Not
-- security definer: it answers inside the functions of th_owner, who alone may read the key. Without a search path of
-- its own it is inlined, for it is called once a row.
create or replace function access.pseudonym(p_viewer bigint, p_account bigint) returns text
language sql stable as $$
  select pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(
           s.key || pg_catalog.convert_to('pseudonym:' || p_viewer || ':' || p_account, 'UTF8')), 'hex'), 12)
  from access.secret s
$$;
