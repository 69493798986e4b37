-- Doors of the audit record. Nobody changes what they wrote.

-- Writes down an act in the transaction that does it; returns its number. For the platform's token, and for a teller's
-- where it concerns an account that the token names. Raises TH403 for any other.
create or replace function access.record_act(
  p_via text, p_actor bigint, p_key uuid, p_session uuid, p_act text, p_target_kind text, p_target text,
  p_account bigint, p_before bytea, p_after bytea, p_origin bytea, p_request text, p_salt bytea, p_address text
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_scope bigint[] := access.scope();
  v_id bigint;
begin
  if (0 = any (v_scope) or (-1 = any (v_scope) and p_account = any (v_scope))) is not true then
    raise exception 'this token may record no act' using errcode = 'TH403';
  end if;
  -- The transaction has its number before the time is taken: whoever closes a block then sees that it is open.
  perform pg_current_xact_id();
  insert into access.audit (at, via, actor_id, key_id, session_id, act, target_kind, target_id, account_id, before,
                            after, origin, request_id)
  values (clock_timestamp(), p_via, p_actor, p_key, p_session, p_act, p_target_kind, p_target, p_account, p_before,
          p_after, p_origin, p_request)
  returning id into v_id;
  -- Of who was erased nothing private is kept any more: neither of what is just under way nor of the erasing itself.
  insert into access.audit_private (audit_id, actor_id, account_id, salt, address)
  select v_id, p_actor, p_account, p_salt, p_address
  where not exists (select from access.account a where a.id = p_actor and a.erased_at is not null);
  return v_id;
end $$;

-- Takes away what an act's digests could be guessed with, and addresses: of the acts by an account and about it. The
-- acts themselves stay, and so does the chain.
create or replace function access.forget_acts(p_account bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  delete from access.audit_private where actor_id = p_account or account_id = p_account;
end $$;

-- Adds a block behind the last one. Raises TH409 where another was quicker: p_number and p_previous are not what follows.
create or replace function access.close_block(
  p_number bigint, p_made_at timestamptz, p_until timestamptz, p_seen text, p_cluster text, p_late_audits bigint[],
  p_late_entries uuid[], p_first_audit bigint, p_last_audit bigint, p_audits bigint, p_entries bigint,
  p_transfers bigint, p_contents bytea, p_previous bytea, p_digest bytea
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_last access.audit_block;
begin
  perform access.require_platform();
  perform pg_advisory_xact_lock(hashtextextended('access.close_block', 0));
  select * into v_last from access.audit_block b order by b.number desc limit 1;
  if p_number <> coalesce(v_last.number, 0) + 1 or p_previous <> coalesce(v_last.digest, '') then
    raise exception 'another block was closed meanwhile' using errcode = 'TH409';
  end if;
  insert into access.audit_block (number, made_at, until, seen, cluster, late_audits, late_entries, first_audit,
                                  last_audit, audits, entries, transfers, contents, previous, digest)
  values (p_number, p_made_at, p_until, p_seen, p_cluster, p_late_audits, p_late_entries, p_first_audit, p_last_audit,
          p_audits, p_entries, p_transfers, p_contents, p_previous, p_digest);
end $$;
