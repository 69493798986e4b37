-- A month of an earner's account, for its statement.

-- What moved an earner's balance in [p_from, p_until), by the day of p_time_zone on which it was recorded: uses and their
-- reversals by model, payouts one by one. nanos: below zero where the balance fell. Ids are in order of time, so that
-- only what was recorded since then is read, and a day more for clocks that differ. Raises TH403 for a token that does
-- not name the earner.
create or replace function metering.month_of(
  p_earner bigint, p_from timestamptz, p_until timestamptz, p_time_zone text
)
returns table (
  day date, kind text, model_id text, payout_id uuid, uses bigint, credits bigint, nanos bigint
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_first uuid := (lpad(to_hex(((extract(epoch from p_from) - 86400) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
begin
  perform access.require_accounts(array[p_earner]);
  return query
  with move as materialized (
    select t.bucket, t.entry_id, t.kind, min(t.recorded_at) as recorded_at,
           sum(case when t.credit_id > 0 then t.amount else -t.amount end) as nanos
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    join ledger.transfer t
      on t.bucket = b.bucket and t.owner_id = p_earner and t.asset_id = 0 and t.entry_id >= v_first
         and t.recorded_at >= p_from and t.recorded_at < p_until and greatest(t.debit_id, t.credit_id) > 0
    group by t.bucket, t.entry_id, t.kind
  )
  select (v.recorded_at at time zone p_time_zone)::date, v.kind, m.external_id, p.id, count(*),
         coalesce(sum(case when v.kind = 'earning' then u.credits when r.id is not null then -r.amount end), 0)::bigint,
         sum(v.nanos)::bigint
  from move v
  left join metering.reversal r on v.kind = 'reversal' and r.bucket = v.bucket and r.id = v.entry_id
  left join metering.usage u on u.bucket = v.bucket and u.id = coalesce(r.usage_id, v.entry_id)
  left join market.model m on m.id = u.model_id
  left join access.account a on v.kind in ('payout', 'payout_back') and a.id = p_earner
  left join payouts.payout p
    on p.bucket = a.bucket and p.account_id = a.id
       and case v.kind when 'payout' then p.id else p.ended_entry end = v.entry_id
  group by 1, 2, 3, 4
  order by 1, 2, 3 nulls first, 4 nulls first;
end $$;
