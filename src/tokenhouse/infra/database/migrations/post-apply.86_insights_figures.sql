-- Reading the cells together with what is not in them yet.

-- Pieces of one grain that follow each other, taken together, but for those that are raw.
create or replace function insights.runs(p_grain text[], p_bounds timestamptz[])
returns table (grain text, since timestamptz, until timestamptz)
language sql immutable as $$
  select g.grain, min(p_bounds[g.i]), max(p_bounds[g.i + 1])
  from (
    select u.grain, u.i, u.i - row_number() over (partition by u.grain order by u.i) as run
    from unnest(p_grain) with ordinality u (grain, i)
  ) g
  where g.grain <> 'raw'
  group by g.grain, g.run
$$;

-- The cells of a cube in the pieces of time between p_bounds, each of the grain that p_grain says: of one owner (null,
-- of payers: of each), of one model where one is named. Each question has its own statement, whose plan is kept;
-- offset 0 holds the planner to it: run by run, into an index.
create or replace function insights.cells_in(
  p_cube text, p_owner bigint, p_model bigint, p_bounds timestamptz[], p_grain text[]
) returns table (
  piece integer, at timestamptz, owner_id bigint, model_id bigint, asset_id smallint, operation text, usage_type text,
  user_label text, uses bigint, credits numeric, counted bigint, counted_credits numeric, nanos numeric,
  cost_nanos numeric, allowance numeric, top_up numeric
)
language plpgsql stable as $$
begin
  if p_owner is null then
    return query
    select width_bucket(x.at, p_bounds), x.at, x.owner_id, x.model_id, x.asset_id, x.operation, x.usage_type,
           x.user_label, x.uses, x.credits, x.counted, x.counted_credits, x.nanos, x.cost_nanos, x.allowance, x.top_up
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    cross join insights.runs(p_grain, p_bounds) w
    cross join lateral (
      select * from insights.cell y
      where y.bucket = b.bucket and y.cube = 'payer'
        and y.grain = w.grain and y.at >= w.since and y.at < w.until
      offset 0
    ) x;
  elsif p_model is null then
    return query
    select width_bucket(x.at, p_bounds), x.at, x.owner_id, x.model_id, x.asset_id, x.operation, x.usage_type,
           x.user_label, x.uses, x.credits, x.counted, x.counted_credits, x.nanos, x.cost_nanos, x.allowance, x.top_up
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    cross join insights.runs(p_grain, p_bounds) w
    cross join lateral (
      select * from insights.cell y
      where y.bucket = b.bucket and y.cube = p_cube and y.owner_id = p_owner
        and y.grain = w.grain and y.at >= w.since and y.at < w.until
      offset 0
    ) x;
  else
    return query
    select width_bucket(x.at, p_bounds), x.at, x.owner_id, x.model_id, x.asset_id, x.operation, x.usage_type,
           x.user_label, x.uses, x.credits, x.counted, x.counted_credits, x.nanos, x.cost_nanos, x.allowance, x.top_up
    from access.deployment d
    cross join generate_series(0, d.buckets - 1) b (bucket)
    cross join insights.runs(p_grain, p_bounds) w
    cross join lateral (
      select * from insights.cell y
      where y.bucket = b.bucket and y.cube = p_cube and y.owner_id = p_owner and y.model_id = p_model and y.model_id <> 0
        and y.grain = w.grain and y.at >= w.since and y.at < w.until
      offset 0
    ) x;
  end if;
end $$;

-- What the records of some transactions (from p_from on, before p_until) say, as rows of a cube, of the uses between
-- the first bound and the last.
create or replace function insights.recorded(
  p_cube text, p_owner bigint, p_model bigint, p_bounds timestamptz[], p_from bigint, p_until bigint
) returns table (
  piece integer, at timestamptz, owner_id bigint, model_id bigint, asset_id smallint, operation text, usage_type text,
  user_label text, uses bigint, credits numeric, counted bigint, counted_credits numeric, nanos numeric,
  cost_nanos numeric, allowance numeric, top_up numeric
)
language plpgsql stable as $$
begin
  if p_cube in ('earner', 'earner_model') then
    return query
    select width_bucket(x.at, p_bounds), x.at, p_owner, case when p_cube = 'earner' then 0 else x.model_id end,
           0::smallint, '', '', '', x.counted::bigint, x.counted_credits::numeric, x.counted::bigint,
           x.counted_credits::numeric, case when cardinality(x.earners) = 1 then x.nanos else (
             select coalesce(sum(case when t.credit_id > 0 then t.amount else -t.amount end), 0)
             from ledger.transfer t
             where t.bucket = x.bucket and t.entry_id = x.id and t.asset_id = 0 and t.owner_id = p_owner
               and t.kind in ('earning', 'reversal')
           ) end, 0::numeric, 0::numeric, 0::numeric
    from metering.parts() x
    where x.xact >= p_from and x.xact < p_until and x.at >= p_bounds[1] and x.at < p_bounds[cardinality(p_bounds)]
      and x.counts and p_owner = any (x.earners) and (p_model is null or x.model_id = p_model);
  else
    return query
    select width_bucket(x.at, p_bounds), x.at, case when p_cube like 'payer%' then x.account_id else 0 end,
           case when p_cube in ('payer_mix', 'platform_model') then coalesce(x.model_id, 0) else 0 end, x.asset_id,
           case when p_cube in ('payer_mix', 'platform_work') then coalesce(x.operation, '') else '' end,
           case when p_cube in ('payer_mix', 'platform_work') then x.usage_type else '' end,
           case when p_cube = 'payer_mix' then coalesce(x.user_label, '') else '' end,
           x.uses::bigint, x.credits::numeric, x.counted::bigint, x.counted_credits::numeric, x.nanos::numeric,
           x.cost_nanos::numeric, s.allowance::numeric, s.top_up::numeric
    from metering.parts() x
    cross join lateral insights.sources(x.bucket, x.id, x.account_id, x.asset_id) s
    where x.xact >= p_from and x.xact < p_until and x.at >= p_bounds[1] and x.at < p_bounds[cardinality(p_bounds)]
      and (p_owner is null or p_cube like 'platform%' or x.account_id = p_owner)
      and (p_model is null or x.model_id = p_model);
  end if;
end $$;

-- The rows of a cube in pieces of time, which the bounds cut: its cells, the records that are not in them yet, and the
-- records of what is less than a quarter. Where the cells count nothing, all is after the mark.
create or replace function insights.rows_of(
  p_cube text, p_owner bigint, p_model bigint, p_bounds timestamptz[], p_grain text[]
) returns table (
  piece integer, at timestamptz, owner_id bigint, model_id bigint, asset_id smallint, operation text, usage_type text,
  user_label text, uses bigint, credits numeric, counted bigint, counted_credits numeric, nanos numeric,
  cost_nanos numeric, allowance numeric, top_up numeric
)
language plpgsql stable as $$
declare
  v_mark bigint := insights.mark();
begin
  if p_cube like 'platform%' or p_owner is null then
    perform access.require_platform();
  else
    perform access.require_accounts(array[p_owner]);
  end if;
  if v_mark > 0 then
    return query select * from insights.cells_in(p_cube, p_owner, p_model, p_bounds, p_grain);
  end if;
  return query
  select * from insights.recorded(p_cube, p_owner, p_model, p_bounds, v_mark, 9223372036854775807);
  for i in 1 .. cardinality(p_grain) loop
    if p_grain[i] = 'raw' then
      return query
      select i, x.at, x.owner_id, x.model_id, x.asset_id, x.operation, x.usage_type, x.user_label, x.uses, x.credits,
             x.counted, x.counted_credits, x.nanos, x.cost_nanos, x.allowance, x.top_up
      from insights.recorded(p_cube, p_owner, p_model, p_bounds[i:i + 1], 0, v_mark) x;
    end if;
  end loop;
end $$;

-- The figures of a cube: of one owner (null, of payers: of each), of one model where one is named. p_bounds cuts time
-- into pieces, ascending; p_grain says of each whether it is a stretch of whole quarters, hours, days or months or, as
-- `raw`, part of a quarter; p_point, to which point of the answer it adds. A function that is stable sees one snapshot
-- in all its statements: cells and records fit. Every plan is a loop over pieces into an index, whoever asks.
create or replace function insights.read(
  p_cube text, p_owner bigint, p_model bigint, p_bounds timestamptz[], p_grain text[], p_point integer[]
) returns table (
  point integer, owner_id bigint, model_id bigint, asset_id integer, operation text, usage_type text, user_label text,
  uses bigint, credits numeric, counted bigint, counted_credits numeric, nanos numeric, cost_nanos numeric,
  allowance numeric, top_up numeric
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $$
begin
  return query
  select p_point[s.piece], s.owner_id, s.model_id, s.asset_id::integer, s.operation, s.usage_type, s.user_label,
         sum(s.uses)::bigint, sum(s.credits), sum(s.counted)::bigint, sum(s.counted_credits), sum(s.nanos),
         sum(s.cost_nanos), sum(s.allowance), sum(s.top_up)
  from insights.rows_of(p_cube, p_owner, p_model, p_bounds, p_grain) s
  group by 1, 2, 3, 4, 5, 6, 7;
end $$;
