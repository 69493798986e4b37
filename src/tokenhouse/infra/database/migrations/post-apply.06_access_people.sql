-- Doors of those who sign in: passwords (hashed elsewhere), sessions, what is sent by mail.

-- Lets an account sign in by an e-mail. False: somebody signs in by that e-mail, or the account by another.
create or replace function access.add_credential(
  p_account bigint, p_email text, p_hash text, p_verified boolean
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  insert into access.credential (account_id, email, hash, verified_at)
  values (p_account, p_email, p_hash, case when p_verified then clock_timestamp() end)
  on conflict do nothing;
  return found;
end $$;

-- Ends the sessions of a person but one (null: all); returns how many.
create or replace function access.end_sessions(p_account bigint, p_but uuid) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_ended integer;
begin
  perform access.require_platform();
  update access.session set revoked_at = clock_timestamp()
  where account_id = p_account and revoked_at is null and id is distinct from p_but;
  get diagnostics v_ended = row_count;
  return v_ended;
end $$;

-- Sets a new password. Every session but one ends, and so does every link to set another. False: nobody to have one.
create or replace function access.set_password(p_account bigint, p_hash text, p_but uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.credential set hash = p_hash where account_id = p_account;
  if not found then
    return false;
  end if;
  perform access.end_sessions(p_account, p_but);
  update access.mail_token set used_at = clock_timestamp()
  where account_id = p_account and purpose = 'reset' and used_at is null;
  return true;
end $$;

-- Sets a new password in place of the one whose hash is p_old, and ends every session. False: another one was set
-- meanwhile, or the person was shut out.
create or replace function access.change_password(p_account bigint, p_old text, p_new text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform 1 from access.credential c
  where c.account_id = p_account and c.hash = p_old and c.disabled_at is null for update;
  return found and access.set_password(p_account, p_new, null);
end $$;

-- Keeps the same password under newer parameters, unless another was set meanwhile.
create or replace function access.rehash(p_account bigint, p_old text, p_new text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.credential set hash = p_new where account_id = p_account and hash = p_old;
end $$;

-- What a person is to the platform (null: nothing). It takes a new sign-in. False: the account does not sign in.
create or replace function access.set_platform_role(p_account bigint, p_role text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.credential set platform_role = p_role where account_id = p_account;
  if not found then
    return false;
  end if;
  perform access.end_sessions(p_account, null);
  return true;
end $$;

-- Shuts a person out, or lets them in again. False: the account does not sign in.
create or replace function access.set_disabled(p_account bigint, p_disabled boolean) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.credential set disabled_at = case when p_disabled then coalesce(disabled_at, clock_timestamp()) end
  where account_id = p_account;
  if not found then
    return false;
  end if;
  perform access.end_sessions(p_account, null);
  return true;
end $$;

-- Opens a session, and ends the one whose digest is p_instead, whoever's it was. False: the person was shut out.
create or replace function access.open_session(
  p_id uuid, p_account bigint, p_digest bytea, p_seconds integer, p_address text, p_user_agent text, p_instead bytea
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_at timestamptz := clock_timestamp();
begin
  perform access.require_platform();
  update access.session set revoked_at = v_at where digest = p_instead and revoked_at is null;
  -- Locked, so that a session opened now and one's being shut out cannot miss each other.
  perform 1 from access.credential where account_id = p_account and disabled_at is null for update;
  if not found then
    return false;
  end if;
  insert into access.session (id, account_id, digest, created_at, seen_at, expires_at, address, user_agent)
  values (p_id, p_account, p_digest, v_at, v_at, v_at + make_interval(secs => p_seconds), p_address,
          left(p_user_agent, 200));
  return true;
end $$;

-- When sessions were seen last, to the minute: one in use costs one write a minute, not one a call.
create or replace function access.touch_sessions(p_ids uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.session set seen_at = clock_timestamp()
  where id = any (p_ids) and revoked_at is null and seen_at < clock_timestamp() - interval '1 minute';
end $$;

-- True where the session was there, this account's, and not ended before.
create or replace function access.end_session(p_account bigint, p_id uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.session set revoked_at = clock_timestamp()
  where id = p_id and account_id = p_account and revoked_at is null;
  return found;
end $$;

-- Forgets sessions that ended a month ago, links that nobody can use, and invitations that are over, with the address
-- in them; returns how many rows went.
create or replace function access.forget_sessions() returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_gone integer;
  v_links integer;
  v_invitations integer;
begin
  perform access.require_platform();
  delete from access.session
  where least(revoked_at, expires_at, seen_at + interval '90 days') < clock_timestamp() - interval '30 days';
  get diagnostics v_gone = row_count;
  delete from access.mail_token where expires_at < clock_timestamp() - interval '1 day';
  get diagnostics v_links = row_count;
  delete from access.invitation where expires_at < clock_timestamp() - interval '1 day';
  get diagnostics v_invitations = row_count;
  return v_gone + v_links + v_invitations;
end $$;

-- Keeps the digest of a link that lives p_seconds. False: p_most of the kind were made within the last hour.
create or replace function access.issue_token(
  p_digest bytea, p_account bigint, p_purpose text, p_seconds integer, p_most integer
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_ends_at timestamptz := clock_timestamp() + make_interval(secs => p_seconds);
begin
  perform access.require_platform();
  -- Locked, so that two who ask at once are counted.
  perform 1 from access.credential where account_id = p_account for update;
  if (select count(*) from access.mail_token
      where account_id = p_account and purpose = p_purpose and expires_at > v_ends_at - interval '1 hour') >= p_most then
    return false;
  end if;
  insert into access.mail_token (digest, account_id, purpose, expires_at)
  values (p_digest, p_account, p_purpose, v_ends_at);
  return true;
end $$;

-- Uses a token up and returns whose it was; null where there is none that lives. Behind the doors.
create or replace function access.use_token(p_digest bytea, p_purpose text) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
  update access.mail_token set used_at = clock_timestamp()
  where digest = p_digest and purpose = p_purpose and used_at is null and expires_at > clock_timestamp()
  returning account_id
$$;

-- Notes that the mail arrived, and whose it was. Null: the link does not live.
create or replace function access.confirm_email(p_digest bytea) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_account bigint;
begin
  perform access.require_platform();
  v_account := access.use_token(p_digest, 'verify');
  update access.credential c set verified_at = coalesce(c.verified_at, clock_timestamp())
  where c.account_id = v_account;
  return v_account;
end $$;

-- Sets a new password by a link that was mailed, which proves the e-mail too. Null: the link does not live, or the
-- person was shut out.
create or replace function access.reset_password(p_digest bytea, p_hash text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_account bigint;
begin
  perform access.require_platform();
  v_account := access.use_token(p_digest, 'reset');
  update access.credential set verified_at = coalesce(verified_at, clock_timestamp())
  where account_id = v_account and disabled_at is null;
  if not found or not access.set_password(v_account, p_hash, null) then
    return null;
  end if;
  return v_account;
end $$;

-- Takes away by what a person signs in, and where they did. Behind the door metering.erase.
create or replace function access.erase_person(p_account bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  delete from access.credential where account_id = p_account;
  delete from access.session where account_id = p_account;
  delete from access.mail_token where account_id = p_account;
  delete from access.external_identity where account_id = p_account;
end $$;
