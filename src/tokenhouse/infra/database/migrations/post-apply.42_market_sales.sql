-- Doors of what ends an ownership: a refund, and a transfer to another account.

-- Locks a model, and tells of an account's ownership of it: the one that lives, else the last one that ended; no row
-- where there was none.
create or replace function market.lock_ownership(p_model bigint, p_account bigint)
returns table (id bigint, live boolean, refunded boolean, price_credits bigint, entry_id uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform 1 from market.model m where m.id = p_model for no key update;
  return query
  select o.id, o.ended_at is null, o.refund_entry_id is not null, o.price_credits, o.entry_id
  from market.ownership o
  where o.model_id = p_model and o.account_id = p_account
  order by o.ended_at is null desc, o.id desc
  limit 1;
end $$;

-- Ends an ownership because its price was given back. Call with the model locked. Raises TH409 where it has ended.
create or replace function market.refund_ownership(p_id bigint, p_entry uuid, p_at timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update market.ownership set ended_at = p_at, refund_entry_id = p_entry where id = p_id and ended_at is null;
  if not found then
    raise exception 'the ownership has ended' using errcode = 'TH409';
  end if;
end $$;

-- Ends an ownership and begins another of the same model: nothing was paid for that one. Call with the model locked.
-- Raises TH409 where it has ended, a unique violation where the account owns the model already.
create or replace function market.transfer_ownership(p_id bigint, p_account bigint, p_at timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_model bigint;
  v_exclusive boolean;
begin
  perform access.require_platform();
  update market.ownership set ended_at = p_at where id = p_id and ended_at is null
  returning model_id, exclusive into v_model, v_exclusive;
  if not found then
    raise exception 'the ownership has ended' using errcode = 'TH409';
  end if;
  insert into market.ownership (model_id, account_id, exclusive, price_credits, entry_id, bought_at)
  values (v_model, p_account, v_exclusive, 0, null, p_at);
end $$;
