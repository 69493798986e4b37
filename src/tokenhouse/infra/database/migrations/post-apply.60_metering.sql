-- The hot path's two calls: load what a batch needs, under lock; post what was decided. Between them the rules decide
-- in Python (domain/metering/rules.py). Each statement of a volatile function has a snapshot of its own, so what is
-- read after a lock is what its earlier holders committed.

-- Loads a batch of one bucket. p_owner/p_asset: the wallets it may take from; p_account/p_key: the idempotency keys;
-- p_tiered: the policies whose tiers count (their models' standings are locked). Wallets and lots come by column, as
-- the lower functions give them; the rest are JSON arrays of arrays: entries already recorded, holds, and models
-- [id, app's id, character, character's app id, active, monetized, policy, price version, price, creator's share,
--  creator, [[owner, app's id]…], uses, nanos, [[earner, ledger account, balance]…]].
create or replace function metering.load(
  p_bucket smallint, p_owner bigint[], p_asset smallint[], p_account bigint[], p_key text[], p_hold uuid[],
  p_model text[], p_character text[], p_tiered text[], p_default_tiered boolean
) returns table (
  owners bigint[], assets smallint[], accounts bigint[], balances bigint[], helds bigint[], dues boolean[],
  lot_accounts bigint[], lot_assets smallint[], lot_ids bigint[], lot_lefts bigint[], lot_sources text[],
  lot_priorities integer[], lot_expiries double precision[],
  entries json, holds json, models json, at timestamptz, catalog_version integer
)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  select w.owners, w.assets, w.accounts, w.balances, w.helds, w.dues
  into owners, assets, accounts, balances, helds, dues
  from ledger.lock_wallets(p_bucket, p_owner, p_asset) w;
  select l.accounts, l.assets, l.ids, l.lefts, l.sources, l.priorities, l.expiries
  into lot_accounts, lot_assets, lot_ids, lot_lefts, lot_sources, lot_priorities, lot_expiries
  from wallets.lots_of(p_bucket, p_owner, p_asset) l;
  entries := ledger.find_entries(p_bucket, p_account, p_key);
  if p_hold <> '{}' then
    holds := ledger.lock_holds(p_bucket, p_hold);
  end if;
  if p_model <> '{}' or p_character <> '{}' then
    models := metering.load_models(p_bucket, p_model, p_character, p_tiered, p_default_tiered);
  end if;
  at := clock_timestamp();
  select max(v.id) into catalog_version from catalog.version v;
  return next;
end $$;

-- The models of a batch: locks the standings of those whose tiers count, and opens the earners' accounts that are
-- missing in this bucket.
create or replace function metering.load_models(
  p_bucket smallint, p_model text[], p_character text[], p_tiered text[], p_default_tiered boolean
) returns json
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tiered bigint[];
  v_missing bigint[];
begin
  v_tiered := market.models_under(p_model, p_character, p_tiered, p_default_tiered);
  if v_tiered is not null then
    perform earnings.lock_standings(p_bucket, v_tiered);
  end if;
  select array_agg(distinct e.id) into v_missing
  from market.earners_of(p_model, p_character) e (id)
  where not exists (select from ledger.account a where a.bucket = p_bucket and a.owner_id = e.id and a.asset_id = 0
                    and a.role = 'earnings');
  if v_missing is not null then
    perform ledger.open_accounts(p_bucket, v_missing, array_fill(0::smallint, array[array_length(v_missing, 1)]),
                                 'earnings');
  end if;
  return metering.models_of(p_bucket, p_model, p_character);
end $$;

create or replace function metering.models_of(p_bucket smallint, p_model text[], p_character text[]) returns json
language sql stable security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
  select json_agg(json_build_array(
           t.model_id, t.external_id, t.character_id, t.character_external_id, t.active, t.monetized,
           t.earnings_policy, t.pricing_version, t.pricing, t.creator_share_bps,
           json_build_array(t.creator_id, t.creator_external_id), t.owners,
           coalesce(s.uses, 0) + case when d.buckets = 1 then 0 else (
             select coalesce(sum(o.uses), 0)::bigint from generate_series(0, d.buckets - 1) b (bucket)
             join earnings.standing o on o.bucket = b.bucket and o.model_id = t.model_id
             where b.bucket <> p_bucket) end,
           coalesce(s.nanos, 0),
           (select json_agg(json_build_array(a.owner_id, a.id, a.balance)) from ledger.account a
            where a.bucket = p_bucket and a.owner_id = any (t.earners) and a.asset_id = 0 and a.role = 'earnings')))
  from market.terms(p_model, p_character) t
  cross join access.deployment d
  left join earnings.standing s on s.bucket = p_bucket and s.model_id = t.model_id
$$;

-- Records usage. Called in one statement with ledger.post, wallets.move_lots and earnings.accrue (queries.sql: post).
create or replace function metering.record(
  p_bucket smallint, p_at timestamptz,
  p_id uuid[], p_account bigint[], p_asset smallint[], p_kind text[], p_counted boolean[], p_usage_type text[],
  p_amount bigint[], p_credits bigint[], p_balance bigint[], p_nanos bigint[], p_reason text[], p_operation text[],
  p_rate_version integer[], p_model bigint[], p_character bigint[], p_hold uuid[], p_user_label text[],
  p_upstream_model text[], p_provider text[], p_cost_nanos bigint[], p_quantity text[], p_metadata text[],
  p_occurred_at timestamptz[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(p_account);
  insert into metering.usage (bucket, id, account_id, asset_id, kind, counted, usage_type, amount, credits,
                              balance_after, nanos, reason, operation, rate_version, model_id, character_id, hold_id,
                              user_label, upstream_model, provider, cost_nanos, quantity, metadata, occurred_at,
                              recorded_at)
  select p_bucket, u.id, u.account_id, u.asset_id, u.kind, u.counted, u.usage_type, u.amount, u.credits, u.balance,
         u.nanos, u.reason, u.operation, u.rate_version, u.model_id, u.character_id, u.hold_id, u.user_label,
         u.upstream_model, u.provider, u.cost_nanos, u.quantity::jsonb, u.metadata::jsonb,
         coalesce(u.occurred_at, p_at), p_at
  from unnest(p_id, p_account, p_asset, p_kind, p_counted, p_usage_type, p_amount, p_credits, p_balance, p_nanos,
              p_reason, p_operation, p_rate_version, p_model, p_character, p_hold, p_user_label, p_upstream_model,
              p_provider, p_cost_nanos, p_quantity, p_metadata, p_occurred_at)
    u (id, account_id, asset_id, kind, counted, usage_type, amount, credits, balance, nanos, reason, operation,
       rate_version, model_id, character_id, hold_id, user_label, upstream_model, provider, cost_nanos, quantity,
       metadata, occurred_at);
end $$;

create or replace function metering.record_reversal(
  p_bucket smallint, p_at timestamptz, p_id uuid, p_usage uuid, p_account bigint, p_amount bigint, p_nanos bigint,
  p_lost_nanos bigint, p_whole boolean, p_reason text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  insert into metering.reversal (bucket, id, usage_id, account_id, amount, nanos, lost_nanos, whole, reason, recorded_at)
  values (p_bucket, p_id, p_usage, p_account, p_amount, p_nanos, p_lost_nanos, p_whole, p_reason, p_at);
end $$;

-- Who earned how much of a use: a JSON array of [earner's app id, nano-dollars]. The payer sees it on the receipt.
create or replace function metering.shares_of(p_bucket smallint, p_usage uuid) returns json
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_agg(json_build_array(i.external_id, t.amount) order by t.leg)
  from metering.usage u
  join ledger.transfer t on t.bucket = u.bucket and t.entry_id = u.id and t.asset_id = 0
  join access.identity i on i.account_id = t.owner_id
  where u.bucket = p_bucket and u.id = p_usage
    and (u.account_id = any ((select access.scope())::bigint[]) or 0 = any ((select access.scope())::bigint[]))
$$;
