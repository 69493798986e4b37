-- Figures over all models and all who earn by them, for views that tell nobody's own.

-- What others' uses brought each earner, in pieces of time of whole days or months (UTC), each of a point.
create or replace function insights.earners_between(
  p_grain text[], p_since timestamptz[], p_until timestamptz[], p_point integer[]
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
    select p.point as part, c.owner_id as earner_id, c.uses, c.credits, c.nanos
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    cross join unnest(p_grain, p_since, p_until, p_point) p (grain, since, until, point)
    join insights.cell c
      on c.bucket = b.bucket and c.cube = 'earner' and c.grain in ('day', 'month') and c.grain = p.grain
         and c.at >= p.since and c.at < p.until
    where v_mark > 0
    union all
    select p.point, s.earner_id, s.counted, s.counted_credits, s.nanos
    from insights.shares(v_mark, 9223372036854775807) s
    join unnest(p_since, p_until, p_point) p (since, until, point) on s.at >= p.since and s.at < p.until
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
