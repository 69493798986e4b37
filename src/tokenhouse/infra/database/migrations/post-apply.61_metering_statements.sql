-- What an earner may know of the uses that pay: everything but who the payers are.

-- What an earner was credited, newest first, from before p_before on (null: from the latest): a reversal takes back,
-- so its figures are below zero. user_id is a pseudonym. Raises TH403 for a token that does not name the earner.
create or replace function metering.accruals_of(p_earner bigint, p_before uuid, p_most integer)
returns table (
  id uuid, kind text, charge_id uuid, model_id text, usage_type text, user_id text, credits bigint, nanos bigint,
  occurred_at timestamptz, created_at timestamptz
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_accounts(array[p_earner]);
  return query
  with page as materialized (
    select b.bucket, t.entry_id, t.kind, t.credit_id, t.amount, t.recorded_at
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    cross join lateral (
      select x.* from ledger.transfer x
      where x.bucket = b.bucket and x.owner_id = p_earner and x.asset_id = 0 and x.kind in ('earning', 'reversal')
        and x.entry_id < coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
      order by x.entry_id desc
      limit p_most
    ) t
    order by t.entry_id desc
    limit p_most
  )
  select p.entry_id, p.kind, u.id, m.external_id, u.usage_type::text, access.pseudonym(p_earner, u.account_id),
         coalesce(-r.amount, u.credits), case when p.credit_id > 0 then p.amount else -p.amount end, u.occurred_at,
         p.recorded_at
  from page p
  left join metering.reversal r on p.kind = 'reversal' and r.bucket = p.bucket and r.id = p.entry_id
  join metering.usage u on u.bucket = p.bucket and u.id = coalesce(r.usage_id, p.entry_id)
  join market.model m on m.id = u.model_id
  order by p.entry_id desc;
end $$;

-- Nano-dollars credited for uses that are younger than p_days, less what reversals took back of them. Ids are in order
-- of time, so that only what was recorded since then is read, and a day more for clocks that differ.
create or replace function metering.maturing_of(p_earner bigint, p_days integer) returns bigint
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_since timestamptz := clock_timestamp() - make_interval(days => p_days);
  v_first uuid := (lpad(to_hex(((extract(epoch from v_since) - 86400) * 1000)::bigint), 12, '0')
                   || repeat('0', 20))::uuid;
begin
  perform access.require_accounts(array[p_earner]);
  return (
    select coalesce(sum(case when t.credit_id > 0 then t.amount else -t.amount end), 0)
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    join ledger.transfer t
      on t.bucket = b.bucket and t.owner_id = p_earner and t.asset_id = 0 and t.kind in ('earning', 'reversal')
         and t.entry_id >= v_first
    left join metering.reversal r on t.kind = 'reversal' and r.bucket = t.bucket and r.id = t.entry_id
    join metering.usage u on u.bucket = t.bucket and u.id = coalesce(r.usage_id, t.entry_id)
    where u.occurred_at > v_since
  );
end $$;

-- The same bucket by bucket, for buckets where there is some, with one charge left out (null: none): what of an earner's
-- balance others' uses may still take back.
create or replace function metering.maturing_by_bucket(p_earner bigint, p_days integer, p_bucket smallint, p_beside uuid)
returns table (bucket smallint, nanos bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_since timestamptz := clock_timestamp() - make_interval(days => p_days);
  v_first uuid := (lpad(to_hex(((extract(epoch from v_since) - 86400) * 1000)::bigint), 12, '0')
                   || repeat('0', 20))::uuid;
begin
  perform access.teller_scope();
  return query
  select t.bucket, sum(case when t.credit_id > 0 then t.amount else -t.amount end)::bigint
  from access.deployment d
  cross join generate_series(0, d.buckets - 1) b (bucket)
  join ledger.transfer t
    on t.bucket = b.bucket and t.owner_id = p_earner and t.asset_id = 0 and t.kind in ('earning', 'reversal')
       and t.entry_id >= v_first
  left join metering.reversal r on t.kind = 'reversal' and r.bucket = t.bucket and r.id = t.entry_id
  join metering.usage u on u.bucket = t.bucket and u.id = coalesce(r.usage_id, t.entry_id)
  where u.occurred_at > v_since and u.id is distinct from p_beside and b.bucket = coalesce(p_bucket, b.bucket)
  group by t.bucket
  order by t.bucket;
end $$;

-- The uses by others that count for the accounts of this token, but not those that it paid for itself, with what it
-- earned by each: what is left of them after reversals. The platform's token sees the usage itself and gets none here.
-- Most uses have one earner, who got all of it: only for the others are the transfers looked at.
create or replace function metering.uses_earned() returns table (
  id uuid, user_id text, model_id text, usage_type text, credits bigint, nanos bigint, occurred_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with reader as materialized (
    select array_agg(s.id) as ids from unnest(access.scope()) s (id) where s.id > 0
  )
  select u.id, access.pseudonym(viewer.id, u.account_id), m.external_id, u.usage_type,
         u.credits - coalesce(back.credits, 0),
         case when cardinality(u.earners) = 1 then u.nanos - coalesce(back.nanos, 0) else (
           select coalesce(sum(case when t.credit_id > 0 then t.amount else -t.amount end), 0)::bigint
           from unnest(array_append(back.ids, u.id)) e (id)
           join ledger.transfer t
             on t.bucket = u.bucket and t.entry_id = e.id and t.asset_id = 0 and t.owner_id = any (r.ids)
         ) end,
         u.occurred_at
  from reader r
  join market.model m on m.id in (select e.model_id from earnings.model_earner e where e.earner_id = any (r.ids))
  cross join access.deployment d
  cross join generate_series(0, d.buckets - 1) b (bucket)
  join metering.usage u
    on u.bucket = b.bucket and u.model_id = m.id and u.counted and u.earners && r.ids and u.account_id <> all (r.ids)
  cross join lateral (
    select case when cardinality(u.earners) = 1 then u.earners[1]
                else (select min(x.id) from unnest(u.earners) x (id) where x.id = any (r.ids)) end as id
  ) viewer
  cross join lateral (
    select array_agg(v.id) as ids, sum(v.amount)::bigint as credits, sum(v.nanos)::bigint as nanos,
           bool_or(v.whole) as whole
    from metering.reversal v
    where v.bucket = u.bucket and v.usage_id = u.id
  ) back
  where back.whole is not true
$$;
