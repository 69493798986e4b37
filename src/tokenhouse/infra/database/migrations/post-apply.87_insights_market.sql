-- Figures over all models and all who earn by them, for views that tell nobody's own.

-- What others' uses brought each earner, in pieces of time of whole days or months (UTC), each of a part.
create or replace function insights.earners_between(
  p_grain text[], p_since timestamptz[], p_until timestamptz[], p_part integer[]
) returns table (part integer, earner_id bigint, uses bigint, credits bigint, nanos bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set plan_cache_mode = force_custom_plan set jit = off as $$
declare
  v_mark bigint := insights.mark();
begin
  perform access.require_platform();
  return query
  select f.part, f.earner_id, sum(f.uses)::bigint, sum(f.credits)::bigint, sum(f.nanos)::bigint
  from (
    select p.part, c.owner_id as earner_id, c.uses, c.credits, c.nanos
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    cross join unnest(p_grain, p_since, p_until, p_part) p (grain, since, until, part)
    join insights.cell c
      on c.bucket = b.bucket and c.cube = 'earner' and c.grain in ('day', 'month') and c.grain = p.grain
         and c.at >= p.since and c.at < p.until
    where v_mark > 0
    union all
    select p.part, s.earner_id, s.counted, s.counted_credits, s.nanos
    from insights.shares(v_mark, 9223372036854775807) s
    join unnest(p_since, p_until, p_part) p (since, until, part) on s.at >= p.since and s.at < p.until
  ) f
  group by f.part, f.earner_id;
end $$;

-- How many used each of these models, where it counted for an account (0: for anyone), in pieces of whole days or
-- months (UTC). Of a model that nobody used there is no row.
create or replace function insights.users_between(
  p_account bigint, p_models bigint[], p_grain text[], p_since timestamptz[], p_until timestamptz[]
) returns table (model_id bigint, users bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set plan_cache_mode = force_custom_plan set jit = off as $$
declare
  v_mark bigint := insights.mark();
begin
  perform access.require_accounts(array[p_account]);
  return query
  select v.model_id, count(*)
  from (
    select f.model_id, f.account_id
    from (
      select a.model_id, a.account_id, a.uses
      from (
        select distinct e.earner_id, e.model_id from earnings.model_earner e
        where e.model_id = any (p_models) and (p_account = 0 or e.earner_id = p_account)
      ) e
      cross join access.deployment d
      cross join generate_series(0, d.buckets - 1) b (bucket)
      cross join unnest(p_grain, p_since, p_until) p (grain, since, until)
      join insights.audience a
        on a.bucket = b.bucket and a.earner_id = e.earner_id and a.model_id = e.model_id and a.grain = p.grain
           and a.at >= p.since and a.at < p.until
      where v_mark > 0
      union all
      select s.model_id, s.account_id, s.counted
      from insights.shares(v_mark, 9223372036854775807) s
      join unnest(p_since, p_until) p (since, until) on s.at >= p.since and s.at < p.until
      where s.model_id = any (p_models) and (p_account = 0 or s.earner_id = p_account)
    ) f
    group by f.model_id, f.account_id
    having sum(f.uses) > 0
  ) v
  group by v.model_id;
end $$;

-- Others' uses of every model, in pieces of time of whole days or months (UTC), each of a part.
create or replace function insights.models_between(
  p_grain text[], p_since timestamptz[], p_until timestamptz[], p_part integer[]
) returns table (part integer, model_id bigint, uses bigint, credits bigint, nanos bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set plan_cache_mode = force_custom_plan set jit = off as $$
declare
  v_mark bigint := insights.mark();
begin
  perform access.require_platform();
  return query
  select f.part, f.model_id, sum(f.uses)::bigint, sum(f.credits)::bigint, sum(f.nanos)::bigint
  from (
    select p.part, c.model_id, c.counted as uses, c.counted_credits as credits, c.nanos
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    cross join unnest(p_grain, p_since, p_until, p_part) p (grain, since, until, part)
    join insights.cell c
      on c.bucket = b.bucket and c.cube = 'platform_model' and c.owner_id = 0 and c.grain = p.grain
         and c.at >= p.since and c.at < p.until
    where v_mark > 0
    union all
    select p.part, x.model_id, x.counted, x.counted_credits, x.nanos
    from metering.parts() x
    join unnest(p_since, p_until, p_part) p (since, until, part) on x.at >= p.since and x.at < p.until
    where x.xact >= v_mark
  ) f
  where f.model_id <> 0
  group by f.part, f.model_id;
end $$;

-- Others' uses of these models by day (UTC), as they count for an account (0: for all), on days from p_since on, before
-- p_until.
create or replace function insights.models_by_day(
  p_account bigint, p_models bigint[], p_since timestamptz, p_until timestamptz
) returns table (model_id bigint, at date, uses bigint, credits bigint, nanos bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set plan_cache_mode = force_custom_plan set jit = off as $$
declare
  v_mark bigint := insights.mark();
  v_cube text := case when p_account = 0 then 'platform_model' else 'earner_model' end;
begin
  perform access.require_accounts(array[p_account]);
  return query
  select f.model_id, (f.at at time zone 'UTC')::date, sum(f.uses)::bigint, sum(f.credits)::bigint, sum(f.nanos)::bigint
  from (
    select c.model_id, c.at, c.counted as uses, c.counted_credits as credits, c.nanos
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    cross join unnest(p_models) m (id)
    join insights.cell c
      on c.bucket = b.bucket and c.cube = v_cube and c.owner_id = p_account and c.model_id = m.id
         and c.model_id <> 0 and c.grain = 'day' and c.at >= p_since and c.at < p_until
    where v_mark > 0
    union all
    select x.model_id, x.at, x.counted, x.counted_credits, x.nanos
    from metering.parts() x
    where p_account = 0 and x.xact >= v_mark and x.at >= p_since and x.at < p_until and x.model_id = any (p_models)
    union all
    select x.model_id, x.at, x.counted, x.counted_credits, x.nanos
    from insights.shares(v_mark, 9223372036854775807) x
    where p_account <> 0 and x.earner_id = p_account and x.at >= p_since and x.at < p_until
      and x.model_id = any (p_models)
  ) f
  group by 1, 2;
end $$;
