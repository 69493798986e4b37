-- Doors of payouts. The money itself moves by ledger.post_earnings, in the same transaction.

-- Records a payout whose money was taken just now.
create or replace function payouts.open(
  p_bucket smallint, p_at timestamptz, p_id uuid, p_account bigint, p_amount bigint, p_method text, p_by text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  insert into payouts.payout (bucket, id, account_id, amount, method, state, requested_by, requested_at)
  values (p_bucket, p_id, p_account, p_amount, p_method, 'pending', p_by, p_at);
  insert into payouts.event (bucket, payout_id, account_id, state, by, at)
  values (p_bucket, p_id, p_account, 'pending', p_by, p_at);
end $$;

-- Locks a payout of this account.
create or replace function payouts.lock(p_bucket smallint, p_account bigint, p_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  perform 1 from payouts.payout p where p.bucket = p_bucket and p.id = p_id and p.account_id = p_account
  for no key update;
end $$;

-- Brings a locked payout from one state to the next. p_entry: of the movement that ends it. Reference and reason stay
-- where none is given. Raises TH409 where it is in another state.
create or replace function payouts.turn(
  p_bucket smallint, p_at timestamptz, p_account bigint, p_id uuid, p_from text, p_to text, p_by text, p_reason text,
  p_reference text, p_entry uuid
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  update payouts.payout p
  set state = p_to, reason = coalesce(p_reason, p.reason), reference = coalesce(p_reference, p.reference),
      approved_by = case when p_from = 'pending' and p_to = 'processing' then p_by else p.approved_by end,
      ended_entry = p_entry, ended_at = case when p_entry is not null then p_at end
  where p.bucket = p_bucket and p.id = p_id and p.account_id = p_account and p.state = p_from;
  if not found then
    raise exception 'the payout is in another state' using errcode = 'TH409';
  end if;
  insert into payouts.event (bucket, payout_id, account_id, state, by, reason, at)
  values (p_bucket, p_id, p_account, p_to, p_by, p_reason, p_at);
end $$;

-- Notes of a locked payout that its method is told to send it. Raises TH409 where it was told before: nothing is sent
-- twice.
create or replace function payouts.note_sending(p_bucket smallint, p_at timestamptz, p_account bigint, p_id uuid)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  update payouts.payout p set sent_at = p_at, looked_at = p_at
  where p.bucket = p_bucket and p.id = p_id and p.account_id = p_account and p.state = 'processing' and p.sent_at is null;
  if not found then
    raise exception 'the payout was sent' using errcode = 'TH409';
  end if;
end $$;

-- Takes that note back: its method says for certain that nothing was sent.
create or replace function payouts.forget_sending(p_bucket smallint, p_account bigint, p_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  update payouts.payout p set sent_at = null, accepted_at = null
  where p.bucket = p_bucket and p.id = p_id and p.account_id = p_account and p.state = 'processing';
end $$;

-- Notes that the method was asked; p_accepted: it says that it will pay.
create or replace function payouts.note_look(
  p_bucket smallint, p_at timestamptz, p_account bigint, p_id uuid, p_accepted boolean, p_reference text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  update payouts.payout p
  set looked_at = p_at, reference = coalesce(p_reference, p.reference),
      accepted_at = case when p_accepted then coalesce(p.accepted_at, p_at) else p.accepted_at end
  where p.bucket = p_bucket and p.id = p_id and p.account_id = p_account;
end $$;

-- How an account is paid from now on.
create or replace function payouts.set_method(p_account bigint, p_kind text, p_sealed bytea, p_hint text)
returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_at timestamptz := clock_timestamp();
begin
  perform access.require_platform();
  insert into payouts.method as m (account_id, kind, sealed, hint, changed_at)
  values (p_account, p_kind, p_sealed, p_hint, v_at)
  on conflict (account_id) do update
  set kind = excluded.kind, sealed = excluded.sealed, hint = excluded.hint, changed_at = excluded.changed_at;
  return v_at;
end $$;

-- Puts details that were sealed anew in the place of the old ones; false where those are no longer there.
create or replace function payouts.reseal_method(p_account bigint, p_old bytea, p_new bytea) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update payouts.method m set sealed = p_new where m.account_id = p_account and m.sealed = p_old;
  return found;
end $$;

create or replace function payouts.set_schedule(
  p_account bigint, p_every text, p_day smallint, p_minimum bigint, p_looked_on date
) returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_at timestamptz := clock_timestamp();
begin
  perform access.require_platform();
  insert into payouts.schedule as s (account_id, every, day, minimum, looked_on, changed_at)
  values (p_account, p_every, p_day, p_minimum, p_looked_on, v_at)
  on conflict (account_id) do update
  set every = excluded.every, day = excluded.day, minimum = excluded.minimum, looked_on = excluded.looked_on,
      changed_at = excluded.changed_at;
  return v_at;
end $$;

-- True where there was one.
create or replace function payouts.drop_schedule(p_account bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  delete from payouts.schedule s where s.account_id = p_account;
  return found;
end $$;

-- Notes for which day it was decided.
create or replace function payouts.note_schedule(p_account bigint, p_looked_on date) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update payouts.schedule s set looked_on = greatest(s.looked_on, p_looked_on) where s.account_id = p_account;
end $$;

-- What payouts forget of a person: where the money went, and words. Behind the door metering.erase.
create or replace function payouts.erase_texts(p_bucket smallint, p_account bigint) returns void
language plpgsql as $$
begin
  delete from payouts.method m where m.account_id = p_account;
  delete from payouts.schedule s where s.account_id = p_account;
  update payouts.payout p set reference = null, reason = null where p.bucket = p_bucket and p.account_id = p_account;
  update payouts.event e set reason = null where e.bucket = p_bucket and e.account_id = p_account and e.reason is not null;
end $$;
