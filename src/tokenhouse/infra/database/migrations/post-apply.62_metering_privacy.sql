-- The door that takes a person out of all records and leaves the sums. p_opaque: the id that the account has from now
-- on; it stands wherever the person's stood, so that what is counted by user stays as it is. False: no such account.
-- Raises TH403 without the platform's token, TH409 for the last owner of an organization with other members.
create or replace function metering.erase(p_account bigint, p_opaque text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_bucket smallint;
  v_label text;
  v_reversals uuid[];
begin
  perform access.require_platform();
  select a.bucket into v_bucket from access.account a where a.id = p_account;
  v_label := access.erase_identity(p_account, p_opaque);
  if v_label is null then
    return false;
  end if;
  perform ledger.erase_texts(v_bucket, p_account, v_label, p_opaque);
  perform wallets.erase_texts(v_bucket, p_account);
  perform market.raise_versions_of(p_account);
  perform payouts.erase_texts(v_bucket, p_account);
  perform market.erase_texts(p_account);
  with erased as (
    update metering.reversal r set reason = ''
    where (r.bucket = v_bucket and r.account_id = p_account)
       or exists (select 1 from metering.usage u
                  where u.bucket = r.bucket and u.id = r.usage_id and u.user_label = v_label)
    returning r.id
  )
  select array_agg(e.id) into v_reversals from erased e;
  perform ledger.erase_reasons(v_reversals);
  update metering.usage u
  set user_label = case when u.user_label is not null then p_opaque end, metadata = null
  where u.bucket = v_bucket and u.account_id = p_account and (u.user_label is not null or u.metadata is not null);
  update metering.usage u set user_label = p_opaque, metadata = null where u.user_label = v_label;
  return true;
end $$;
