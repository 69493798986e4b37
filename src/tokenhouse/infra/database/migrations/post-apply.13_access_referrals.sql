-- Who brought whom.

-- Says who brought an account, once. False where another was said before. Raises TH403 without the platform's token.
create or replace function access.set_referrer(p_account bigint, p_referrer bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.account a set referrer_id = p_referrer where a.id = p_account and a.referrer_id is null;
  return found or exists (select 1 from access.account a where a.id = p_account and a.referrer_id = p_referrer);
end $$;
