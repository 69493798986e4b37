-- What uses came to: credits, their worth, what they earned and what they cost, kept as sums by day and month.

-- Where a use is summed up: once a kind and grain.
create or replace function insights.places_of(
  p_at date, p_account bigint, p_account_kind text, p_credit_type text, p_operation text, p_model bigint, p_plan text, p_usage_type text,
  p_upstream text
) returns table (kind text, grain text, at date, owner_id bigint, subject text)
language sql immutable as $$
  select k.kind, g.grain, g.at, k.owner_id, coalesce(k.subject, '')
  from (values ('all', 0::bigint, ''), ('operation', 0, p_operation), ('model', 0, p_model::text), ('plan', 0, p_plan),
               (p_account_kind, p_account, ''), ('usage_type', 0, p_usage_type), ('credit_type', 0, p_credit_type),
               ('upstream', 0, p_upstream)) k (kind, owner_id, subject)
  cross join (values ('day', p_at), ('month', date_trunc('month', p_at::timestamp)::date)) g (grain, at)
$$;

-- What a credit is worth, in 10^-18 dollars, by where it came from and when: of an allowance (name: the plan) the plan's
-- price over all credits that one payment brings; of a top-up (name: the asset) the cheapest pack's price for a credit;
-- as the catalog had them. The first prices hold for all before them. What is less than 10^-18 dollars is cut off.
create or replace function insights.worths() returns table (
  source text, name text, since timestamptz, until timestamptz, worth numeric
)
language sql stable as $$
  with plan_rate as (
    select p.id, case when row_number() over w = 1 then '-infinity' else v.applied_at end as since,
           coalesce(lead(v.applied_at) over w, 'infinity') as until,
           coalesce(div(p.price_nanos::numeric * 1000000000,
                        nullif(a.credits * case p.paid_interval when 'year' then 12 else 1 end, 0)), 0) as worth
    from catalog.plan p
    join catalog.version v on v.id = p.version
    cross join lateral (select sum(x.value::numeric) as credits from jsonb_each_text(p.allowances) x) a
    where not p.retired
    window w as (partition by p.id order by p.version)
  ), pack_rate as (
    select t.asset_id, case when row_number() over w = 1 then '-infinity' else v.applied_at end as since,
           coalesce(lead(v.applied_at) over w, 'infinity') as until, coalesce(c.worth, 0) as worth
    from (select distinct x.version from catalog.top_up x) n
    join catalog.version v on v.id = n.version
    cross join (select distinct x.code, x.asset_id from catalog.credit_type x) t
    cross join lateral (
      select min(div(q.price_nanos::numeric * 1000000000, q.credits)) as worth
      from (select distinct on (x.id) x.* from catalog.top_up x where x.version <= v.id order by x.id, x.version desc) q
      where not q.retired and q.credit_type = t.code
    ) c
    window w as (partition by t.asset_id order by v.id)
  )
  select 'allowance', r.id, r.since, r.until, r.worth from plan_rate r
  union all
  select 'top_up', r.asset_id::text, r.since, r.until, r.worth from pack_rate r
$$;

-- What the uses and reversals of these transactions add to the sums (p_high null: all since p_low). revenue: what the
-- credits were worth when the grant was made that they came from, in 10^-18 dollars; nothing is rounded here.
create or replace function insights.spending(p_low bigint, p_high bigint) returns table (
  bucket smallint, at date, account_id bigint, account_kind text, credit_type text, operation text, model_id bigint, plan_id text,
  usage_type text, upstream text, uses bigint, credits bigint, earned bigint, revenue numeric, cost bigint, costed bigint
)
language sql stable as $$
  with worth as materialized (
    select * from insights.worths()
  ), record as (
    select u.bucket, u.id as entry_id, u.id as usage_id, 1 as sign, case when u.kind = 'report' then 0 else 1 end as uses,
           u.amount as credits, u.nanos as earned
    from metering.usage u
    where u.xact >= p_low and (p_high is null or u.xact < p_high)
    union all
    select r.bucket, r.id, r.usage_id, -1, case when r.whole then -1 else 0 end, -r.amount, -r.nanos
    from metering.reversal r
    where r.xact >= p_low and (p_high is null or r.xact < p_high)
  )
  select d.bucket, (u.occurred_at at time zone 'UTC')::date, u.account_id, a.kind, s.code, u.operation, u.model_id,
         wallets.plan_at(u.bucket, u.account_id, u.recorded_at), u.usage_type::text,
         case when coalesce(k.model, u.upstream_model) is not null
              then concat_ws('/', nullif(coalesce(k.provider, u.provider), ''), coalesce(k.model, u.upstream_model)) end,
         d.uses::bigint, d.credits, d.earned, d.sign * coalesce(w.worth, 0),
         case when d.sign > 0 then coalesce(u.cost_nanos, k.nanos, 0) else 0 end,
         case when u.cost_nanos is null and k.nanos is null then 0 else d.uses end::bigint
  from record d
  join metering.usage u on u.bucket = d.bucket and u.id = d.usage_id
  join access.account a on a.id = u.account_id
  join ledger.asset s on s.id = u.asset_id
  left join metering.cost k on k.bucket = u.bucket and k.usage_id = u.id
  cross join lateral (
    select sum(t.amount * (
             select max(r.worth) from worth r  -- one, but for a clock that was set back between two catalogs
             where r.source = l.source and r.since <= l.created_at and l.created_at < r.until
               and r.name = case when l.source = 'allowance' then wallets.plan_at(l.bucket, l.account_id, l.created_at)
                                 else l.asset_id::text end)) as worth
    from ledger.transfer t
    join wallets.lot l
      on l.bucket = t.bucket and l.account_id = u.account_id and l.asset_id = t.asset_id and l.id = t.lot_id
    where t.bucket = d.bucket and t.entry_id = d.entry_id and t.asset_id <> 0
  ) w
$$;

-- Adds the records of these transactions to the sums, and queues those whose cost is to be looked up. Part of
-- insights.roll, whose mark it shares.
create or replace function insights.fold_spending(p_low bigint, p_high bigint) returns bigint
language plpgsql as $$
declare
  v_count bigint;
begin
  perform metering.queue_costs(p_low, p_high);
  with found as materialized (
    select s.bucket, s.at, s.account_id, s.account_kind, s.credit_type, s.operation, s.model_id, s.plan_id, s.usage_type, s.upstream,
           count(*) as records, sum(s.uses) as uses, sum(s.credits) as credits, sum(s.earned) as earned,
           sum(s.revenue) as revenue, sum(s.cost) as cost, sum(s.costed) as costed
    from insights.spending(p_low, p_high) s
    group by s.bucket, s.at, s.account_id, s.account_kind, s.credit_type, s.operation, s.model_id, s.plan_id,
             s.usage_type, s.upstream
  ), added as (
    insert into insights.spend as c (bucket, kind, grain, at, owner_id, subject, uses, credits, earned, revenue, cost,
                                     costed)
    select f.bucket, p.kind, p.grain, p.at, p.owner_id, p.subject, sum(f.uses), sum(f.credits), sum(f.earned),
           sum(f.revenue), sum(f.cost), sum(f.costed)
    from found f
    cross join lateral insights.places_of(f.at, f.account_id, f.account_kind, f.credit_type, f.operation, f.model_id,
                                          f.plan_id, f.usage_type, f.upstream) p
    group by f.bucket, p.kind, p.grain, p.at, p.owner_id, p.subject
    order by f.bucket, p.kind, p.grain, p.at, p.owner_id, p.subject
    on conflict (bucket, kind, grain, at, owner_id, subject) do update
    set uses = c.uses + excluded.uses, credits = c.credits + excluded.credits, earned = c.earned + excluded.earned,
        revenue = c.revenue + excluded.revenue, cost = c.cost + excluded.cost, costed = c.costed + excluded.costed
  )
  select coalesce(sum(f.records), 0) into v_count from found f;
  return v_count;
end $$;

-- What was recorded since the sums were made, summed up by day as they will count it.
create or replace function insights.spending_since(p_kinds text[], p_from date, p_to date) returns table (
  at date, owner_id bigint, subject text, uses bigint, credits bigint, earned bigint, revenue numeric, cost bigint,
  costed bigint
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set plan_cache_mode = force_custom_plan as $$
declare
  v_mark bigint := insights.mark();
begin
  perform access.require_platform();
  return query
  select p.at, p.owner_id, p.subject, sum(s.uses)::bigint, sum(s.credits)::bigint, sum(s.earned)::bigint, sum(s.revenue),
         sum(s.cost)::bigint, sum(s.costed)::bigint
  from insights.spending(v_mark, null) s
  cross join lateral insights.places_of(s.at, s.account_id, s.account_kind, s.credit_type, s.operation, s.model_id,
                                        s.plan_id, s.usage_type, s.upstream) p
  where s.at between p_from and p_to and p.kind = any (p_kinds) and p.grain = 'day'
  group by p.at, p.owner_id, p.subject;
end $$;

-- Writes what uses cost, and adds it to the sums.
create or replace function insights.cost_uses(
  p_bucket smallint[], p_usage uuid[], p_nanos bigint[], p_source text[], p_version text[], p_tried text
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_count bigint;
  v_mark bigint;
begin
  perform access.require_platform();
  perform insights.lock();
  v_mark := insights.mark();
  with known as materialized (
    select w.* from metering.write_costs(p_bucket, p_usage, p_nanos, p_source, p_version, p_tried) w
    where w.nanos is not null
  ), found as materialized (
    select u.bucket, (u.occurred_at at time zone 'UTC')::date as at, u.account_id, a.kind as account_kind,
           s.code as credit_type, u.operation, u.model_id, wallets.plan_at(u.bucket, u.account_id, u.recorded_at) as plan_id,
           u.usage_type::text as usage_type, concat_ws('/', nullif(k.provider, ''), k.model) as upstream, n.nanos,
           case when exists (
             select from metering.reversal r where r.bucket = u.bucket and r.usage_id = u.id and r.whole
               and r.xact < v_mark
           ) then 0 else 1 end as costed
    from known n
    join metering.cost k on k.bucket = n.bucket and k.usage_id = n.usage_id
    join metering.usage u on u.bucket = n.bucket and u.id = n.usage_id
    join access.account a on a.id = u.account_id
    join ledger.asset s on s.id = u.asset_id
  ), added as (
    insert into insights.spend as c (bucket, kind, grain, at, owner_id, subject, uses, credits, earned, revenue, cost,
                                     costed)
    select f.bucket, p.kind, p.grain, p.at, p.owner_id, p.subject, 0, 0, 0, 0, sum(f.nanos), sum(f.costed)
    from found f
    cross join lateral insights.places_of(f.at, f.account_id, f.account_kind, f.credit_type, f.operation, f.model_id,
                                          f.plan_id, f.usage_type, f.upstream) p
    group by f.bucket, p.kind, p.grain, p.at, p.owner_id, p.subject
    order by f.bucket, p.kind, p.grain, p.at, p.owner_id, p.subject
    on conflict (bucket, kind, grain, at, owner_id, subject) do update
    set cost = c.cost + excluded.cost, costed = c.costed + excluded.costed
  )
  select count(*) into v_count from known;
  return v_count;
end $$;
