-- Doors of access for keys that follow each other, members who leave, invitations, and persons who are erased. All of
-- them ask for the platform's token.

-- Puts a new key in an old one's place: the same account, name, scopes and end. The old one ends p_overlap_seconds from
-- now, never later than it would have. outcome: rotated; ended, where the old key is not live; replaced, where it was
-- rotated before.
create or replace function access.rotate_key(
  p_id uuid, p_new uuid, p_digest bytea, p_hint text, p_overlap_seconds integer,
  out outcome text, out made_at timestamptz, out old_ends_at timestamptz
)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_old access.api_key;
begin
  perform access.require_platform();
  select k.* into v_old from access.api_key k where k.id = p_id for update;
  made_at := clock_timestamp();
  if v_old.id is null or v_old.revoked_at is not null or v_old.expires_at <= made_at then
    outcome := 'ended';
    return;
  end if;
  if v_old.replaced_by is not null then
    outcome := 'replaced';
    return;
  end if;
  insert into access.api_key (id, account_id, name, digest, hint, scopes, created_at, expires_at, rate_limit_per_minute)
  values (p_new, v_old.account_id, v_old.name, p_digest, p_hint, v_old.scopes, made_at, v_old.expires_at,
          v_old.rate_limit_per_minute);
  update access.api_key k
  set replaced_by = p_new, expires_at = least(k.expires_at, made_at + make_interval(secs => p_overlap_seconds))
  where k.id = p_id
  returning k.expires_at into old_ends_at;
  outcome := 'rotated';
end $$;

-- Changes of one organization's members wait for each other: two owners cannot leave at the same time.
create or replace function access.lock_organization(p_organization bigint) returns void
language plpgsql as $$
begin
  perform 1 from access.account a where a.id = p_organization for no key update;
end $$;

-- Raises TH409 where this user is the organization's only owner.
create or replace function access.require_another_owner(p_organization bigint, p_user bigint) returns void
language plpgsql as $$
begin
  if exists (select 1 from access.member m
             where m.organization_id = p_organization and m.user_id = p_user and m.role = 'owner')
     and not exists (select 1 from access.member m
                     where m.organization_id = p_organization and m.user_id <> p_user and m.role = 'owner') then
    raise exception 'the last owner' using errcode = 'TH409';
  end if;
end $$;

-- Takes back what a member invited to and, by the role that they have now (null: none), could not invite to any more.
create or replace function access.withdraw_invitations(p_organization bigint, p_user bigint, p_role text) returns void
language plpgsql as $$
begin
  delete from access.invitation i
  where i.organization_id = p_organization and i.invited_by = p_user
    and case p_role when 'owner' then false when 'admin' then i.role = 'owner' else true end;
end $$;

-- Makes a user a member, or changes the role. Raises TH409 where it would take the last owner away.
create or replace function access.set_member(p_organization bigint, p_user bigint, p_role text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform access.lock_organization(p_organization);
  if p_role <> 'owner' then
    perform access.require_another_owner(p_organization, p_user);
  end if;
  insert into access.member (organization_id, user_id, role) values (p_organization, p_user, p_role)
  on conflict (organization_id, user_id) do update set role = excluded.role;
  perform access.withdraw_invitations(p_organization, p_user, p_role);
end $$;

-- Takes a member out; false where there was none. Raises TH409 for the last owner.
create or replace function access.remove_member(p_organization bigint, p_user bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform access.lock_organization(p_organization);
  perform access.require_another_owner(p_organization, p_user);
  delete from access.member m where m.organization_id = p_organization and m.user_id = p_user;
  if not found then
    return false;
  end if;
  perform access.withdraw_invitations(p_organization, p_user, null);
  return true;
end $$;

-- Invites an address, in place of an earlier invitation of it. Null where p_most others are open.
create or replace function access.invite(
  p_id uuid, p_organization bigint, p_email text, p_role text, p_digest bytea, p_by bigint, p_ttl_seconds integer,
  p_most integer, out made_at timestamptz, out ends_at timestamptz
)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_open bigint;
begin
  perform access.require_platform();
  perform access.lock_organization(p_organization);
  delete from access.invitation i
  where i.organization_id = p_organization and (i.expires_at <= clock_timestamp() or i.email = lower(p_email));
  select count(*) into v_open from access.invitation i where i.organization_id = p_organization;
  if v_open >= p_most then
    return;
  end if;
  made_at := clock_timestamp();
  ends_at := made_at + make_interval(secs => p_ttl_seconds);
  insert into access.invitation (id, organization_id, email, role, digest, invited_by, created_at, expires_at)
  values (p_id, p_organization, lower(p_email), p_role, p_digest, p_by, made_at, ends_at);
end $$;

-- Takes an invitation back; false where there is none.
create or replace function access.revoke_invitation(p_organization bigint, p_id uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  delete from access.invitation i where i.organization_id = p_organization and i.id = p_id;
  return found;
end $$;

-- The address at which a person is known to be reached: whoever reads its mail is that person. Of who signs in, the
-- address that they verified; of an account that only an app uses, the one that the platform gave it.
create or replace function access.reached_at(p_account bigint) returns text
language sql stable as $$
  select lower(case when c.account_id is null then i.email when c.verified_at is not null then c.email end)
  from access.identity i
  join access.account a on a.id = i.account_id and a.kind = 'user'
  left join access.credential c on c.account_id = i.account_id
  where i.account_id = p_account
$$;

-- Accepts an invitation on behalf of the person whose address it was sent to, once. Null where the token is unknown,
-- used or too old, and where the invitation is another's. Who is a member already keeps the role.
create or replace function access.accept_invitation(
  p_digest bytea, p_account bigint, out organization_id bigint, out role text
)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_organization bigint;
  v_role text;
begin
  perform access.require_platform();
  delete from access.invitation i
  where i.digest = p_digest and i.expires_at > clock_timestamp() and i.email = access.reached_at(p_account)
  returning i.organization_id, i.role into v_organization, v_role;
  if v_organization is null then
    return;
  end if;
  perform access.lock_organization(v_organization);
  insert into access.member as m (organization_id, user_id, role) values (v_organization, p_account, v_role)
  on conflict on constraint member_pkey do nothing;
  select m.organization_id, m.role into organization_id, role
  from access.member m where m.organization_id = v_organization and m.user_id = p_account;
end $$;

-- Takes the person out of an account: the id becomes p_opaque, name and e-mail go, keys and memberships end, and so do
-- sessions, ways to sign in, and invitations to the addresses. Returns the id that it had; null for an account that is
-- not there. Raises TH409 where the person is the last owner of an organization that has other members. Behind the door
-- metering.erase.
create or replace function access.erase_identity(p_account bigint, p_opaque text) returns text
language plpgsql as $$
declare
  v_organization bigint;
  v_old access.identity;
begin
  for v_organization in
    select m.organization_id from access.member m where m.user_id = p_account order by 1
  loop
    perform access.lock_organization(v_organization);
    if exists (select 1 from access.member m where m.organization_id = v_organization and m.user_id <> p_account) then
      perform access.require_another_owner(v_organization, p_account);
    end if;
  end loop;
  select i.* into v_old from access.identity i where i.account_id = p_account for update;
  delete from access.member m where m.user_id = p_account or m.organization_id = p_account;
  delete from access.invitation i
  where i.organization_id = p_account or i.email = lower(v_old.email)
     or i.email = (select lower(c.email) from access.credential c where c.account_id = p_account);
  perform access.erase_person(p_account);
  update access.invitation i set invited_by = null where i.invited_by = p_account;
  update access.api_key k
  set name = 'erased', revoked_at = coalesce(k.revoked_at, clock_timestamp()) where k.account_id = p_account;
  update access.identity i set external_id = p_opaque, name = 'Erased', email = null where i.account_id = p_account;
  update access.account a set erased_at = coalesce(a.erased_at, clock_timestamp()) where a.id = p_account;
  return v_old.external_id;
end $$;
