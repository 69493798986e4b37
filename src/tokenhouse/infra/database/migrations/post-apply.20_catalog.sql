-- The catalog is read by everyone and written by one function, which only adds rows.

create or replace function catalog.lock() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform pg_advisory_xact_lock(hashtextextended('catalog.apply', 0));
end $$;

-- Adds a version with the rows that it brings: {"credit_type": […], "operation": […], "plan": […], "top_up": […],
-- "earnings_policy": […], "bonus": […]}, each with the table's columns but version. Returns the version.
-- The caller holds catalog.lock() and found these rows to differ from those in force.
create or replace function catalog.apply(p_digest text, p_source text, p_changes jsonb) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_version integer;
begin
  perform catalog.lock();
  insert into catalog.version (digest, source) values (p_digest, p_source) returning id into v_version;
  insert into catalog.credit_type (code, version, retired, asset_id)
  select c.code, v_version, c.retired, ledger.open_asset(c.code)
  from rows from (jsonb_to_recordset(p_changes -> 'credit_type') as (code text, retired boolean))
    with ordinality c (code, retired, position)
  order by c.position;
  insert into catalog.operation (id, version, retired, credit_type, price, tiers, bulk)
  select o.id, v_version, o.retired, o.credit_type, o.price, o.tiers, o.bulk
  from jsonb_to_recordset(p_changes -> 'operation')
    as o (id text, retired boolean, credit_type text, price jsonb, tiers jsonb, bulk jsonb);
  insert into catalog.plan (
    id, version, retired, name, price_nanos, paid_interval, allowances, rollover, limits, offered_to,
    lemonsqueezy_variant)
  select p.id, v_version, p.retired, p.name, p.price_nanos, p.paid_interval, p.allowances, p.rollover, p.limits,
         p.offered_to, p.lemonsqueezy_variant
  from jsonb_to_recordset(p_changes -> 'plan')
    as p (id text, retired boolean, name text, price_nanos bigint, paid_interval text, allowances jsonb,
          rollover boolean, limits jsonb, offered_to text[], lemonsqueezy_variant bigint);
  insert into catalog.top_up (id, version, retired, credit_type, credits, price_nanos, lemonsqueezy_variant)
  select t.id, v_version, t.retired, t.credit_type, t.credits, t.price_nanos, t.lemonsqueezy_variant
  from jsonb_to_recordset(p_changes -> 'top_up')
    as t (id text, retired boolean, credit_type text, credits bigint, price_nanos bigint, lemonsqueezy_variant bigint);
  insert into catalog.earnings_policy (
    id, version, retired, per_use_nanos, per_credit_nanos, tiers, type_multipliers, earn_on, kind, params)
  select e.id, v_version, e.retired, e.per_use_nanos, e.per_credit_nanos, e.tiers, e.type_multipliers, e.earn_on,
         e.kind, e.params
  from jsonb_to_recordset(p_changes -> 'earnings_policy')
    as e (id text, retired boolean, per_use_nanos bigint, per_credit_nanos bigint, tiers jsonb,
          type_multipliers jsonb, earn_on text[], kind text, params jsonb);
  insert into catalog.bonus (id, version, retired, kind, threshold, amount_nanos, scope, active)
  select b.id, v_version, b.retired, b.kind, b.threshold, b.amount_nanos, b.scope, b.active
  from jsonb_to_recordset(p_changes -> 'bonus')
    as b (id text, retired boolean, kind text, threshold bigint, amount_nanos bigint, scope text, active boolean);
  return v_version;
end $$;

-- Prices are no secret, so everyone may read; FORCE binds the owner too, who may add and never change or delete.
do $$
declare
  v_table text;
begin
  foreach v_table in array array['version', 'credit_type', 'operation', 'plan', 'top_up', 'earnings_policy', 'bonus'] loop
    execute format('alter table catalog.%I enable row level security', v_table);
    execute format('alter table catalog.%I force row level security', v_table);
    execute format('drop policy if exists readable on catalog.%I', v_table);
    execute format('create policy readable on catalog.%I for select using (true)', v_table);
    execute format('drop policy if exists appended on catalog.%I', v_table);
    execute format('create policy appended on catalog.%I for insert to th_owner with check (true)', v_table);
    execute format('revoke all on catalog.%I from public', v_table);
    execute format('grant select on catalog.%I to th_app, th_worker', v_table);
  end loop;
end $$;

grant usage on schema catalog to th_app, th_worker;
revoke all on function catalog.lock(), catalog.apply(text, text, jsonb) from public;
grant execute on function catalog.lock(), catalog.apply(text, text, jsonb) to th_app, th_worker;
