-- What the wallets forget of a person: the notes of grants. Behind the door metering.erase.
create or replace function wallets.erase_texts(p_bucket smallint, p_account bigint) returns void
language plpgsql as $$
begin
  update wallets.lot l set note = null
  where l.bucket = p_bucket and l.account_id = p_account and l.note is not null;
end $$;
