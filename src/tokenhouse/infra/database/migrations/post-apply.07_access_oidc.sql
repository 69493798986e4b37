-- The door of those who sign in by a provider of OpenID Connect.

-- Ties a person of a provider to an account, unless they are tied already; returns the account that they are tied to.
create or replace function access.tie_external(p_issuer text, p_subject text, p_account bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_account bigint;
begin
  perform access.require_platform();
  insert into access.external_identity (issuer, subject, account_id) values (p_issuer, p_subject, p_account)
  on conflict (issuer, subject) do nothing;
  select e.account_id into v_account from access.external_identity e
  where e.issuer = p_issuer and e.subject = p_subject;
  return v_account;
end $$;
