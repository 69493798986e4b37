-- The keeping of the cells, and reading them together with what is not in them yet.

-- Whose transactions' numbers the records bear. A restore elsewhere begins to count anew.
create or replace function insights.cluster() returns text
language sql stable as $$
  select c.system_identifier::text from pg_control_system() c
$$;

-- The cubes: whose, by what, and which stretches of time are kept. A cube that is dense in time has the hour as well.
create or replace function insights.grains() returns table (cube text, grain text)
language sql immutable as $$
  values ('earner', 'quarter'), ('earner', 'hour'), ('earner', 'day'), ('earner', 'month'),
         ('earner_model', 'quarter'), ('earner_model', 'day'), ('earner_model', 'month'),
         ('payer', 'quarter'), ('payer', 'hour'), ('payer', 'day'), ('payer', 'month'),
         ('payer_mix', 'quarter'), ('payer_mix', 'day'), ('payer_mix', 'month'),
         ('platform', 'quarter'), ('platform', 'hour'), ('platform', 'day'), ('platform', 'month'),
         ('platform_work', 'quarter'), ('platform_work', 'hour'), ('platform_work', 'day'), ('platform_work', 'month'),
         ('platform_model', 'quarter'), ('platform_model', 'day'), ('platform_model', 'month')
$$;

-- The quarter hour, hour, day or month (UTC) that a moment lies in.
create or replace function insights.floor(p_grain text, p_at timestamptz) returns timestamptz
language sql immutable as $$
  select case when p_grain = 'quarter' then date_bin('15 minutes', p_at, '2000-01-01 00:00:00+00')
              else date_trunc(p_grain, p_at, 'UTC') end
$$;

-- Of what a use or its reversal moved: the credits from grants of two sources, below zero for a reversal.
create or replace function insights.sources(p_bucket smallint, p_id uuid, p_account bigint, p_asset smallint)
returns table (allowance bigint, top_up bigint)
language sql stable as $$
  select coalesce(sum(m.amount) filter (where m.source = 'allowance'), 0)::bigint,
         coalesce(sum(m.amount) filter (where m.source = 'top_up'), 0)::bigint
  from (
    select l.source::text as source, case when t.kind = 'reversal' then -t.amount else t.amount end as amount
    from ledger.transfer t
    join wallets.lot l
      on l.bucket = t.bucket and l.account_id = p_account and l.asset_id = t.asset_id and l.id = t.lot_id
    where t.bucket = p_bucket and t.entry_id = p_id and t.asset_id = p_asset
  ) m
$$;

-- The quarter hours of the cubes of payers and of the platform that the records of these transactions add to: from
-- p_from on, before p_until.
create or replace function insights.charged(p_from bigint, p_until bigint) returns table (
  bucket smallint, cube text, owner_id bigint, quarter timestamptz, model_id bigint, asset_id smallint, operation text,
  usage_type text, user_label text, uses numeric, credits numeric, counted numeric, counted_credits numeric,
  nanos numeric, cost_nanos numeric, allowance numeric, top_up numeric
)
language sql stable as $$
  select x.bucket,
         case grouping(x.account_id, x.model_id, x.operation)
           when 3 then 'payer' when 0 then 'payer_mix' when 7 then 'platform' when 6 then 'platform_work'
           else 'platform_model' end,
         coalesce(x.account_id, 0), x.quarter, coalesce(x.model_id, 0), x.asset_id, coalesce(x.operation, ''),
         coalesce(x.usage_type, ''), coalesce(x.user_label, ''), sum(x.uses), sum(x.credits), sum(x.counted),
         sum(x.counted_credits), sum(x.nanos), sum(x.cost_nanos), sum(x.allowance), sum(x.top_up)
  from (
    select p.bucket, p.account_id, p.asset_id, coalesce(p.model_id, 0) as model_id,
           coalesce(p.operation, '') as operation, p.usage_type, coalesce(p.user_label, '') as user_label,
           insights.floor('quarter', p.at) as quarter, p.uses, p.credits, p.counted, p.counted_credits, p.nanos,
           p.cost_nanos, s.allowance, s.top_up
    from metering.parts() p
    cross join lateral insights.sources(p.bucket, p.id, p.account_id, p.asset_id) s
    where p.xact >= p_from and p.xact < p_until
  ) x
  group by grouping sets (
    (x.bucket, x.quarter, x.asset_id, x.account_id),
    (x.bucket, x.quarter, x.asset_id, x.account_id, x.model_id, x.operation, x.usage_type, x.user_label),
    (x.bucket, x.quarter, x.asset_id),
    (x.bucket, x.quarter, x.asset_id, x.operation, x.usage_type),
    (x.bucket, x.quarter, x.asset_id, x.model_id)
  )
$$;

-- What these records brought each earner. Most uses have one, who got all of it: only for the others are the transfers
-- looked at.
create or replace function insights.shares(p_from bigint, p_until bigint) returns table (
  bucket smallint, earner_id bigint, model_id bigint, account_id bigint, at timestamptz, counted integer,
  counted_credits bigint, nanos bigint
)
language sql stable as $$
  select p.bucket, e.id, p.model_id, p.account_id, p.at, p.counted, p.counted_credits,
         case when cardinality(p.earners) = 1 then p.nanos else (
           select coalesce(sum(case when t.credit_id > 0 then t.amount else -t.amount end), 0)::bigint
           from ledger.transfer t
           where t.bucket = p.bucket and t.entry_id = p.id and t.asset_id = 0 and t.owner_id = e.id
             and t.kind in ('earning', 'reversal')
         ) end
  from metering.parts() p
  cross join unnest(p.earners) e (id)
  where p.counts and p.xact >= p_from and p.xact < p_until
$$;

-- Adds the records of these transactions to the cells.
create or replace function insights.fold_cells(p_from bigint, p_until bigint) returns void
language plpgsql as $$
begin
  with quarters as (
    select * from insights.charged(p_from, p_until)
    union all
    select s.bucket, case grouping(s.model_id) when 1 then 'earner' else 'earner_model' end, s.earner_id, s.quarter,
           coalesce(s.model_id, 0), 0::smallint, '', '', '', sum(s.counted), sum(s.counted_credits), sum(s.counted),
           sum(s.counted_credits), sum(s.nanos), 0, 0, 0
    from (select x.*, insights.floor('quarter', x.at) as quarter from insights.shares(p_from, p_until) x) s
    group by grouping sets ((s.bucket, s.earner_id, s.quarter), (s.bucket, s.earner_id, s.quarter, s.model_id))
  )
  insert into insights.cell as c (bucket, cube, owner_id, grain, at, model_id, asset_id, operation, usage_type,
                                  user_label, uses, credits, counted, counted_credits, nanos, cost_nanos, allowance,
                                  top_up)
  select q.bucket, q.cube, q.owner_id, g.grain, insights.floor(g.grain, q.quarter), q.model_id, q.asset_id,
         q.operation, q.usage_type, q.user_label, sum(q.uses), sum(q.credits), sum(q.counted), sum(q.counted_credits),
         sum(q.nanos), sum(q.cost_nanos), sum(q.allowance), sum(q.top_up)
  from quarters q
  join insights.grains() g on g.cube = q.cube
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
  on conflict (bucket, cube, owner_id, grain, at, model_id, asset_id, operation, usage_type, user_label) do update
  set uses = c.uses + excluded.uses, credits = c.credits + excluded.credits, counted = c.counted + excluded.counted,
      counted_credits = c.counted_credits + excluded.counted_credits, nanos = c.nanos + excluded.nanos,
      cost_nanos = c.cost_nanos + excluded.cost_nanos, allowance = c.allowance + excluded.allowance,
      top_up = c.top_up + excluded.top_up;
end $$;

-- Adds the records of these transactions to all that is kept of them; tells how many records there were.
create or replace function insights.fold(p_from bigint, p_until bigint) returns bigint
language plpgsql as $$
declare
  v_count bigint := (select count(*) from metering.parts() p where p.xact >= p_from and p.xact < p_until);
begin
  if v_count = 0 then
    return 0;
  end if;
  perform insights.fold_cells(p_from, p_until);
  insert into insights.audience as a (bucket, earner_id, model_id, grain, at, account_id, uses)
  select s.bucket, s.earner_id, coalesce(s.model_id, 0), s.grain, s.since, s.account_id, sum(s.counted)
  from (
    select x.*, g.grain, insights.floor(g.grain, x.at) as since
    from insights.shares(p_from, p_until) x
    cross join (values ('day'), ('month')) g (grain)
    where x.counted <> 0
  ) s
  group by grouping sets (
    (s.bucket, s.earner_id, s.grain, s.since, s.account_id),
    (s.bucket, s.earner_id, s.grain, s.since, s.account_id, s.model_id)
  )
  on conflict (bucket, earner_id, model_id, grain, at, account_id) do update set uses = a.uses + excluded.uses;
  return v_count;
end $$;

-- Derives every cell again. Readers see the old ones until this is committed: so the rows are deleted, not truncated.
create or replace function insights.refold(p_until bigint) returns bigint
language plpgsql as $$
begin
  delete from insights.cell;
  delete from insights.audience;
  return insights.fold(0, p_until);
end $$;

-- Adds to the cells what was recorded since the last time, one caller at a time; tells how many records. Everything
-- below the lowest open transaction has ended and is seen by each later statement. After a restore into another
-- cluster, or where it is asked for (p_anew), all is derived again.
create or replace function insights.roll(p_anew boolean) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  v_upto bigint;
  v_cluster text;
  v_until bigint;
  v_count bigint;
begin
  perform access.require_platform();
  perform insights.lock();
  select w.upto, w.cluster into v_upto, v_cluster from insights.watermark w;
  if v_cluster <> insights.cluster() and v_cluster <> '' then
    perform metering.renumber();
  end if;
  v_until := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
  if p_anew or v_cluster <> insights.cluster() then
    v_count := insights.refold(v_until);
  else
    v_count := insights.fold(v_upto, v_until);
    -- Nothing to say for a while: a database at rest is left at rest.
    if v_count = 0 and v_until < v_upto + 10000 then
      return 0;
    end if;
  end if;
  update insights.watermark w set upto = v_until, cluster = insights.cluster(), rolled_at = clock_timestamp();
  return v_count;
end $$;

-- Keeps others from rolling until this transaction ends.
create or replace function insights.lock() returns void
language sql volatile as $$
  select pg_advisory_xact_lock(hashtextextended('insights.roll', 0))
$$;

-- The number before which records are in the cells; 0: none is, and the cells count nothing.
create or replace function insights.mark() returns bigint
language sql stable as $$
  select case when w.cluster = insights.cluster() then w.upto else 0 end from insights.watermark w
$$;

-- What the records say, as the rows of a cube: those of the transactions from p_from on, before p_until, whose use was
-- from p_since on, before p_before. It becomes part of the statement that asks, which drops the half that is not meant.
create or replace function insights.records(
  p_cube text, p_owner bigint, p_model bigint, p_from bigint, p_until bigint, p_since timestamptz,
  p_before timestamptz
) returns table (
  at timestamptz, owner_id bigint, model_id bigint, asset_id smallint, operation text, usage_type text, user_label text,
  uses bigint, credits bigint, counted bigint, counted_credits bigint, nanos bigint, cost_nanos bigint,
  allowance bigint, top_up bigint
)
language sql stable as $$
  select x.at, p_owner, case when p_cube = 'earner' then 0 else x.model_id end, 0::smallint, '', '', '',
         x.counted::bigint, x.counted_credits, x.counted::bigint, x.counted_credits,
         case when cardinality(x.earners) = 1 then x.nanos else (
           select coalesce(sum(case when t.credit_id > 0 then t.amount else -t.amount end), 0)::bigint
           from ledger.transfer t
           where t.bucket = x.bucket and t.entry_id = x.id and t.asset_id = 0 and t.owner_id = p_owner
             and t.kind in ('earning', 'reversal')
         ) end,
         0::bigint, 0::bigint, 0::bigint
  from metering.parts() x
  where p_cube in ('earner', 'earner_model') and x.xact >= p_from and x.xact < p_until and x.at >= p_since
    and x.at < p_before and x.counts and p_owner = any (x.earners) and (p_model is null or x.model_id = p_model)
  union all
  select x.at, case when p_cube in ('payer', 'payer_mix') then x.account_id else 0 end,
         case when p_cube in ('payer_mix', 'platform_model') then coalesce(x.model_id, 0) else 0 end, x.asset_id,
         case when p_cube in ('payer_mix', 'platform_work') then coalesce(x.operation, '') else '' end,
         case when p_cube in ('payer_mix', 'platform_work') then x.usage_type else '' end,
         case when p_cube = 'payer_mix' then coalesce(x.user_label, '') else '' end,
         x.uses::bigint, x.credits, x.counted::bigint, x.counted_credits, x.nanos, x.cost_nanos, s.allowance, s.top_up
  from metering.parts() x
  cross join lateral insights.sources(x.bucket, x.id, x.account_id, x.asset_id) s
  where p_cube not in ('earner', 'earner_model') and x.xact >= p_from and x.xact < p_until and x.at >= p_since
    and x.at < p_before and (p_owner is null or p_cube like 'platform%' or x.account_id = p_owner)
    and (p_model is null or x.model_id = p_model)
$$;

-- The rows of a cube in pieces of time, cells and what is not in them: v_whole names the pieces that cells are read for,
-- v_raw those that lie within a quarter and are read from the records. It becomes part of the statement that asks.
create or replace function insights.rows_of(
  p_cube text, p_owner bigint, p_model bigint, p_bounds timestamptz[], p_grain text[], p_mark bigint,
  p_whole integer[], p_raw integer[]
) returns table (
  piece integer, at timestamptz, owner_id bigint, model_id bigint, asset_id smallint, operation text, usage_type text,
  user_label text, uses bigint, credits numeric, counted bigint, counted_credits numeric, nanos numeric,
  cost_nanos numeric, allowance numeric, top_up numeric
)
language sql stable as $$
  select w.i, c.at, c.owner_id, c.model_id, c.asset_id, c.operation, c.usage_type, c.user_label, c.uses, c.credits,
         c.counted, c.counted_credits, c.nanos, c.cost_nanos, c.allowance, c.top_up
  from access.deployment d
  cross join generate_series(0, d.buckets - 1) b (bucket)
  cross join unnest(p_whole) w (i)
  join insights.cell c
    on c.bucket = b.bucket and c.cube = p_cube and (p_owner is null or c.owner_id = p_owner)
       and c.grain = p_grain[w.i] and c.at >= p_bounds[w.i] and c.at < p_bounds[w.i + 1]
       and (p_model is null or c.model_id = p_model)
  union all
  select width_bucket(x.at, p_bounds), x.at, x.owner_id, x.model_id, x.asset_id, x.operation, x.usage_type,
         x.user_label, x.uses, x.credits, x.counted, x.counted_credits, x.nanos, x.cost_nanos, x.allowance, x.top_up
  from insights.records(p_cube, p_owner, p_model, p_mark, 9223372036854775807, p_bounds[1],
                        p_bounds[cardinality(p_bounds)]) x
  union all
  select r.i, x.at, x.owner_id, x.model_id, x.asset_id, x.operation, x.usage_type, x.user_label, x.uses, x.credits,
         x.counted, x.counted_credits, x.nanos, x.cost_nanos, x.allowance, x.top_up
  from unnest(p_raw) r (i)
  cross join lateral insights.records(p_cube, p_owner, p_model, 0, p_mark, p_bounds[r.i], p_bounds[r.i + 1]) x
$$;

-- Which pieces are read from cells and which from the records. Where the cells count nothing, all is after the mark.
create or replace function insights.pieces(
  p_grain text[], p_mark bigint, out whole integer[], out raw integer[]
)
language sql immutable as $$
  select array_agg(i) filter (where p_grain[i] <> 'raw' and p_mark > 0),
         array_agg(i) filter (where p_grain[i] = 'raw')
  from generate_subscripts(p_grain, 1) i
$$;

-- Who may ask for a cube of an owner.
create or replace function insights.require(p_cube text, p_owner bigint) returns void
language plpgsql stable as $$
begin
  if p_cube like 'platform%' or p_owner is null then
    perform access.require_platform();
  else
    perform access.require_accounts(array[p_owner]);
  end if;
end $$;

-- The figures of a cube: of one owner (null, of payers: of each), of one model where one is named. p_bounds cuts time
-- into pieces, ascending; p_grain says of each whether it is a stretch of whole quarters, hours, days or months or, as
-- `raw`, part of a quarter; p_point, to which point of the answer it adds. What the cells do not hold yet is read from
-- the records, and so is what is raw. A function that is stable sees one snapshot: cells and records fit.
create or replace function insights.read(
  p_cube text, p_owner bigint, p_model bigint, p_bounds timestamptz[], p_grain text[], p_point integer[]
) returns table (
  point integer, owner_id bigint, model_id bigint, asset_id integer, operation text, usage_type text, user_label text,
  uses bigint, credits numeric, counted bigint, counted_credits numeric, nanos numeric, cost_nanos numeric,
  allowance numeric, top_up numeric
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set plan_cache_mode = force_custom_plan set jit = off as $$
declare
  v_mark bigint := insights.mark();
  v_whole integer[];
  v_raw integer[];
begin
  perform insights.require(p_cube, p_owner);
  select p.whole, p.raw into v_whole, v_raw from insights.pieces(p_grain, v_mark) p;
  return query
  select p_point[s.piece], s.owner_id, s.model_id, s.asset_id::integer, s.operation, s.usage_type, s.user_label,
         sum(s.uses)::bigint, sum(s.credits), sum(s.counted)::bigint, sum(s.counted_credits), sum(s.nanos),
         sum(s.cost_nanos), sum(s.allowance), sum(s.top_up)
  from insights.rows_of(p_cube, p_owner, p_model, p_bounds, p_grain, v_mark, v_whole, v_raw) s
  group by 1, 2, 3, 4, 5, 6, 7;
end $$;

-- Writes p_opaque where the id of an erased person stood as a user's label: of the account's own charges, and of any
-- other's. What is rolled meanwhile would bring it back: nobody rolls until this transaction ends.
create or replace function insights.forget(p_account bigint, p_label text, p_opaque text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform insights.lock();
  with gone as (
    delete from insights.cell c
    where c.cube = 'payer_mix' and c.user_label <> '' and (c.owner_id = p_account or c.user_label = p_label)
    returning c.*
  )
  insert into insights.cell (bucket, cube, owner_id, grain, at, model_id, asset_id, operation, usage_type, user_label,
                             uses, credits, counted, counted_credits, nanos, cost_nanos, allowance, top_up)
  select g.bucket, g.cube, g.owner_id, g.grain, g.at, g.model_id, g.asset_id, g.operation, g.usage_type, p_opaque,
         sum(g.uses), sum(g.credits), sum(g.counted), sum(g.counted_credits), sum(g.nanos), sum(g.cost_nanos),
         sum(g.allowance), sum(g.top_up)
  from gone g
  group by g.bucket, g.cube, g.owner_id, g.grain, g.at, g.model_id, g.asset_id, g.operation, g.usage_type;
end $$;
