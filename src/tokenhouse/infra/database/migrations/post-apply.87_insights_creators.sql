-- What creators ask besides sums: at which hours, by whom, and what happened last. Who the users are is not said.

-- An earner's figures by weekday (1: Monday) and hour where clocks show p_zone's time. The pieces are of one grain
-- which an hour there is made of, but for their ends.
create or replace function insights.clock(
  p_cube text, p_owner bigint, p_model bigint, p_bounds timestamptz[], p_grain text[], p_zone text
) returns table (weekday integer, hour integer, uses bigint, credits numeric, nanos numeric)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $$
begin
  return query
  select extract(isodow from h.wall)::integer, extract(hour from h.wall)::integer, sum(h.uses)::bigint, sum(h.credits),
         sum(h.nanos)
  from (
    select s.at at time zone p_zone as wall, s.uses, s.credits, s.nanos
    from insights.rows_of(p_cube, p_owner, p_model, p_bounds, p_grain) s
  ) h
  group by 1, 2;
end $$;

-- Uses of an earner's models (p_model 0: of any) by account, in pieces of time: cells, the records after the mark, and
-- pieces within a day.
create or replace function insights.visits(
  p_earner bigint, p_model bigint, p_bounds timestamptz[], p_grain text[]
) returns table (piece integer, account_id bigint, uses bigint)
language plpgsql stable as $$
declare
  v_mark bigint := insights.mark();
begin
  perform access.require_accounts(array[p_earner]);
  if v_mark > 0 then
    return query
    select width_bucket(a.at, p_bounds), a.account_id, a.uses
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    cross join insights.runs(p_grain, p_bounds) w
    cross join lateral (
      select * from insights.audience y
      where y.bucket = b.bucket and y.earner_id = p_earner and y.model_id = p_model and y.grain = w.grain
        and y.at >= w.since and y.at < w.until
      offset 0
    ) a;
  end if;
  return query
  select width_bucket(x.at, p_bounds), x.account_id, x.counted::bigint from metering.parts() x
  where x.xact >= v_mark and x.at >= p_bounds[1] and x.at < p_bounds[cardinality(p_bounds)] and x.counts
    and p_earner = any (x.earners) and (p_model = 0 or x.model_id = p_model);
  for i in 1 .. cardinality(p_grain) loop
    if p_grain[i] = 'raw' then
      return query
      select i, x.account_id, x.counted::bigint from metering.parts() x
      where x.xact >= 0 and x.xact < v_mark and x.at >= p_bounds[i] and x.at < p_bounds[i + 1] and x.counts
        and p_earner = any (x.earners) and (p_model = 0 or x.model_id = p_model);
    end if;
  end loop;
end $$;

-- How many used an earner's models at point 2, how many of them for the first time, and how many at point 1. Point 0 is
-- all the time before.
create or replace function insights.users_of(
  p_earner bigint, p_model bigint, p_bounds timestamptz[], p_grain text[], p_point integer[]
) returns table (users bigint, new_users bigint, previous_users bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $$
begin
  return query
  select count(*) filter (where n.now > 0), count(*) filter (where n.now > 0 and n.before = 0 and n.past = 0),
         count(*) filter (where n.past > 0)
  from (
    select sum(v.uses) filter (where p_point[v.piece] = 2) as now,
           coalesce(sum(v.uses) filter (where p_point[v.piece] = 1), 0) as past,
           coalesce(sum(v.uses) filter (where p_point[v.piece] = 0), 0) as before
    from insights.visits(p_earner, p_model, p_bounds, p_grain) v
    group by v.account_id
  ) n;
end $$;

-- Of those who used an earner's models for the first time in a week or month (UTC), how many did so again in each of
-- the next ones. p_bounds: the begins of the weeks or months, oldest first, and the end; p_grain has the grain of each,
-- of the first too, which is all the time before.
create or replace function insights.retention_of(
  p_earner bigint, p_model bigint, p_bounds timestamptz[], p_grain text[], p_point integer[]
) returns table (cohort integer, later integer, users bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $$
begin
  return query
  select f.first, f.point - f.first, count(*)
  from (
    select s.point, min(s.point) over (partition by s.account_id) as first
    from (
      select v.account_id, p_point[v.piece] as point
      from insights.visits(p_earner, p_model, p_bounds, p_grain) v
      group by 1, 2
      having sum(v.uses) > 0
    ) s
  ) f
  where f.first > 0
  group by 1, 2;
end $$;

-- The latest uses of an earner's models that are left, newest first; the user by a pseudonym. Only the models used last
-- are looked at: as many as there are rows to give. Each step reads the one index that ends after a few rows, whatever
-- the planner thinks of times that it does not know.
create or replace function insights.recent_of(
  p_earner bigint, p_model bigint, p_since timestamptz, p_before timestamptz, p_most integer
) returns table (
  id uuid, model_id text, model_name text, usage_type text, user_id text, credits bigint, nanos bigint,
  occurred_at timestamptz
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $$
begin
  perform access.require_accounts(array[p_earner]);
  return query
  select u.id, m.external_id, m.name, u.usage_type::text, access.pseudonym(p_earner, u.account_id),
         u.credits - coalesce(r.credits, 0), e.nanos, u.occurred_at
  from (
    select z.*
    from (
      select x.bucket, x.model_id
      from earnings.model_earner x
      where x.earner_id = p_earner and (p_model is null or x.model_id = p_model) and x.last_used_at >= p_since
      order by x.last_used_at desc
      limit p_most
    ) last
    cross join lateral (
      select y.* from metering.usage y
      where y.bucket = last.bucket and y.model_id = last.model_id and y.counted and p_earner = any (y.earners)
        and y.occurred_at >= p_since and y.occurred_at < p_before
        and not exists (
          select from metering.reversal v where v.bucket = y.bucket and v.usage_id = y.id and v.whole
        )
      order by y.id desc
      limit p_most
    ) z
    order by z.id desc
    limit p_most
  ) u
  join market.model m on m.id = u.model_id
  cross join lateral (
    select sum(v.amount)::bigint as credits, array_agg(v.id) as ids
    from metering.reversal v where v.bucket = u.bucket and v.usage_id = u.id
  ) r
  cross join lateral (
    select coalesce(sum(case when t.credit_id > 0 then t.amount else -t.amount end), 0)::bigint as nanos
    from unnest(array_append(r.ids, u.id)) k (id)
    cross join lateral (
      -- offset: by the entry, of which there are a few, and not by the earner, who has very many
      select x.* from ledger.transfer x where x.bucket = u.bucket and x.entry_id = k.id offset 0
    ) t
    where t.asset_id = 0 and t.owner_id = p_earner and t.kind in ('earning', 'reversal')
  ) e
  order by u.id desc;
end $$;
