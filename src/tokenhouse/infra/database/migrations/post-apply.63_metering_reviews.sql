-- Uses that look odd: while their review is open, what they earned is not payable.

-- The least id that a record of this moment may have: ids are in order of time, and clocks differ by less than a day.
create or replace function metering.first_id(p_since timestamptz) returns uuid
language sql immutable as $$
  select (lpad(to_hex(greatest(((extract(epoch from p_since) - 86400) * 1000)::bigint, 0)), 12, '0') || repeat('0', 20))::uuid
$$;

-- What an earner was credited in one bucket for uses after a moment, less what reversals took back of them. p_beside: a use
-- left out (null: none).
create or replace function metering.young_in(p_bucket smallint, p_earner bigint, p_since timestamptz, p_beside uuid)
returns bigint
language sql stable as $$
  select coalesce(sum(case when t.credit_id > 0 then t.amount else -t.amount end), 0)::bigint
  from ledger.transfer t
  left join metering.reversal r on t.kind = 'reversal' and r.bucket = t.bucket and r.id = t.entry_id
  join metering.usage u on u.bucket = t.bucket and u.id = coalesce(r.usage_id, t.entry_id)
  where t.bucket = p_bucket and t.owner_id = p_earner and t.asset_id = 0 and t.kind in ('earning', 'reversal')
    and t.entry_id >= metering.first_id(p_since) and u.occurred_at > p_since and u.id is distinct from p_beside
$$;

-- The uses under open reviews by which an earner was credited, with what is left of it after reversals, in one bucket.
create or replace function metering.under_review(p_bucket smallint, p_earner bigint)
returns table (review_id uuid, usage_id uuid, occurred_at timestamptz, nanos bigint)
language sql stable as $$
  select v.id, u.id, u.occurred_at, m.nanos
  from metering.review v
  join metering.usage u
    on u.bucket = v.bucket and u.account_id = v.account_id and u.id >= metering.first_id(v.since)
       and u.model_id = v.model_id and u.occurred_at >= v.since and u.recorded_at < v.until and u.counted
  cross join lateral (
    select sum(x.nanos)::bigint as nanos
    from (
      select t.amount as nanos from ledger.transfer t
      where t.bucket = u.bucket and t.entry_id = u.id and t.owner_id = p_earner and t.asset_id = 0
      union all
      select -t.amount from metering.reversal r
      join ledger.transfer t
        on t.bucket = r.bucket and t.entry_id = r.id and t.owner_id = p_earner and t.asset_id = 0
      where r.bucket = u.bucket and r.usage_id = u.id
    ) x
  ) m
  where v.bucket = p_bucket and v.state = 'open' and m.nanos > 0
    and v.model_id in (select e.model_id from earnings.model_earner e where e.earner_id = p_earner)
$$;

-- The sum of those that happened at p_since or before. p_beside: a use left out (null: none).
create or replace function metering.held_in(p_bucket smallint, p_earner bigint, p_since timestamptz, p_beside uuid)
returns bigint
language sql stable as $$
  select coalesce(sum(m.nanos), 0)::bigint from metering.under_review(p_bucket, p_earner) m
  where m.occurred_at <= p_since and m.usage_id is distinct from p_beside
$$;

-- What of an earner's balance is not payable because it is under review, beside what is too young (p_days) anyhow. What
-- was paid out before the review is not there to be held. Raises TH403 for a token that does not name the earner.
create or replace function metering.held_of(p_earner bigint, p_days integer) returns bigint
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_since timestamptz := clock_timestamp() - make_interval(days => p_days);
begin
  perform access.require_accounts(array[p_earner]);
  return (
    select coalesce(sum(least(h.nanos, greatest(
             a.balance - metering.young_in(a.bucket, p_earner, v_since, null), 0))), 0)::bigint
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    join ledger.account a
      on a.bucket = b.bucket and a.owner_id = p_earner and a.asset_id = 0 and a.role = 'earnings'
    cross join lateral (
      select metering.held_in(a.bucket, p_earner, v_since, null) as nanos offset 0
    ) h
    where h.nanos > 0
  );
end $$;

-- What uses that are not under this review and too young (p_days) may still take back of an earner's balance in its bucket.
create or replace function metering.young_beside(p_bucket smallint, p_review uuid, p_earner bigint, p_days integer)
returns bigint
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_since timestamptz := clock_timestamp() - make_interval(days => p_days);
begin
  perform access.require_platform();
  return metering.young_in(p_bucket, p_earner, v_since, null) - (
    select coalesce(sum(m.nanos), 0)
    from metering.under_review(p_bucket, p_earner) m
    where m.review_id = p_review and m.occurred_at > v_since
  );
end $$;

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
