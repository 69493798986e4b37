-- Raises the versions of the models that somebody owns or made: what was read of them named its earners by their ids.
-- Behind the door metering.erase.
create or replace function market.raise_versions_of(p_account bigint) returns void
language plpgsql as $$
begin
  update market.model m set updated_at = m.updated_at
  where m.creator_id = p_account
     or m.id in (select o.model_id from market.ownership o where o.account_id = p_account and o.ended_at is null);
end $$;

-- Takes a person's words out of the reviews; their stars stay, and so do the ratings. Behind the same door.
create or replace function market.erase_texts(p_account bigint) returns void
language plpgsql as $$
begin
  update market.review r set text = null where r.account_id = p_account and r.text is not null;
end $$;
