-- Uses that look odd: while their review is open, what they earned is not payable.

-- The least id that a record of this moment may have: ids are in order of time, and clocks differ by less than a day.
create or replace function metering.first_id(p_since timestamptz) returns uuid
language sql immutable as $$
  select (lpad(to_hex(greatest(((extract(epoch from p_since) - 86400) * 1000)::bigint, 0)), 12, '0') || repeat('0', 20))::uuid
$$;

-- What an earner was credited for uses under open reviews that happened at p_since or before (null: whenever), less what
-- reversals took back, in one bucket. p_beside: a use left out (null: none). A review that opens while a payout is being
-- taken holds what is left: opening locks no balance.
create or replace function metering.held_in(p_bucket smallint, p_earner bigint, p_since timestamptz, p_beside uuid)
returns bigint
language sql stable as $$
  select coalesce(sum(m.nanos), 0)::bigint
  from metering.review v
  join metering.usage u
    on u.bucket = v.bucket and u.account_id = v.account_id and u.id >= metering.first_id(v.since)
       and u.model_id = v.model_id and u.occurred_at >= v.since and u.recorded_at < v.until and u.counted
  cross join lateral (
    select t.amount as nanos from ledger.transfer t
    where t.bucket = u.bucket and t.entry_id = u.id and t.owner_id = p_earner and t.asset_id = 0
    union all
    select -t.amount from metering.reversal r
    join ledger.transfer t
      on t.bucket = r.bucket and t.entry_id = r.id and t.owner_id = p_earner and t.asset_id = 0
    where r.bucket = u.bucket and r.usage_id = u.id
  ) m
  where v.bucket = p_bucket and v.state = 'open'
    and v.model_id in (select e.model_id from earnings.model_earner e where e.earner_id = p_earner)
    and (p_since is null or u.occurred_at <= p_since) and u.id is distinct from p_beside
$$;

-- Opens a review, unless one of the same uses was opened before; says whether it did.
create or replace function metering.open_review(
  p_bucket smallint, p_id uuid, p_account bigint, p_model bigint, p_since timestamptz, p_until timestamptz,
  p_earners bigint[], p_uses bigint, p_nanos bigint, p_reasons jsonb
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  -- Two that look at once would both find none.
  perform pg_advisory_xact_lock(hashtextextended('metering.review', 0));
  insert into metering.review (bucket, id, account_id, model_id, since, until, earners, uses, nanos, reasons, opened_at)
  select p_bucket, p_id, p_account, p_model, p_since, p_until, p_earners, p_uses, p_nanos, p_reasons, clock_timestamp()
  where not exists (
    select 1 from metering.review v
    where v.bucket = p_bucket and v.account_id = p_account and v.model_id = p_model and v.until > p_since
  );
  return found;
end $$;

-- Locks a review against another end of it.
create or replace function metering.lock_review(p_bucket smallint, p_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform 1 from metering.review v where v.bucket = p_bucket and v.id = p_id for no key update;
end $$;

-- Ends an open review: cleared, or rejected, which took this much back and lost that. Raises TH409 where it has ended.
create or replace function metering.end_review(
  p_bucket smallint, p_id uuid, p_state text, p_reason text, p_taken bigint, p_lost bigint, p_at timestamptz
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update metering.review v
  set state = p_state, reason = p_reason, taken = p_taken, lost = p_lost, ended_at = p_at
  where v.bucket = p_bucket and v.id = p_id and v.state = 'open';
  if not found then
    raise exception 'the review has ended' using errcode = 'TH409';
  end if;
end $$;

-- Records uses rejected by a review: nothing given back to their payer, what they earned taken back. By column.
create or replace function metering.record_rejections(
  p_bucket smallint, p_at timestamptz, p_account bigint, p_id uuid[], p_usage uuid[], p_nanos bigint[], p_lost bigint[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  insert into metering.reversal (bucket, id, usage_id, account_id, amount, nanos, lost_nanos, whole, reason, recorded_at)
  select p_bucket, p_id[i], p_usage[i], p_account, 0, p_nanos[i], p_lost[i], false, 'rejected', p_at
  from unnest(p_id) with ordinality n (_, i);
end $$;
