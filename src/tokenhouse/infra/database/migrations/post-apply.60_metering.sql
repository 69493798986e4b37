-- The hot path's two calls: load what a batch needs, under lock; post what was decided. Between them the rules decide
-- in Python (domain/metering/rules.py). Each statement of a volatile function has a snapshot of its own, so what is
-- read after a lock is what its earlier holders committed.

-- Loads a batch of one bucket. p_owner/p_asset: the wallets it may take from; p_account/p_key: the idempotency keys;
-- p_counting: models whose tiers count, whose standings are locked. By column: wallets and lots; models and characters
-- by the app's ids, with the versions of their models (what the caller knows of a version holds still); the uses of
-- the counting models. Entries already recorded and holds are JSON arrays of arrays.
create or replace function metering.load(
  p_bucket smallint, p_owner bigint[], p_asset smallint[], p_account bigint[], p_key text[], p_hold uuid[],
  p_model text[], p_character text[], p_counting bigint[]
) returns table (
  owners bigint[], assets smallint[], accounts bigint[], balances bigint[], helds bigint[], dues boolean[],
  lot_accounts bigint[], lot_assets smallint[], lot_ids bigint[], lot_lefts bigint[], lot_sources text[],
  lot_priorities integer[], lot_expiries double precision[],
  entries json, holds json, names text[], characters bigint[], models bigint[], versions integer[],
  counting bigint[], uses bigint[], at timestamptz, catalog_version integer
)
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  perform access.require_teller_of(p_account || p_owner);
  select w.owners, w.assets, w.accounts, w.balances, w.helds, w.dues
  into owners, assets, accounts, balances, helds, dues
  from ledger.read_wallets(p_bucket, p_owner, p_asset) w;
  select l.accounts, l.assets, l.ids, l.lefts, l.sources, l.priorities, l.expiries
  into lot_accounts, lot_assets, lot_ids, lot_lefts, lot_sources, lot_priorities, lot_expiries
  from wallets.read_lots(p_bucket, p_owner, p_asset) l;
  entries := ledger.read_entries(p_bucket, p_account, p_key);
  if p_hold <> '{}' then
    holds := ledger.read_holds(p_bucket, p_hold);
  end if;
  if p_counting <> '{}' then
    select s.models, s.uses into counting, uses from earnings.read_standings(p_bucket, p_counting) s;
  end if;
  if p_model <> '{}' or p_character <> '{}' then
    select v.names, v.characters, v.models, v.versions into names, characters, models, versions
    from market.read_versions(p_model, p_character) v;
  end if;
  at := clock_timestamp();
  select max(v.id) into catalog_version from catalog.version v;
  return next;
end $$;

-- Terms of models, with the earners' ledger accounts in this bucket, opened where they are missing: a JSON array of
-- [id, app's id, version, active, monetized, policy, price version, price, creator, creator's app id, creator's share,
--  [[owner, app's id]…], [[earner, ledger account]…]].
create or replace function metering.terms_of(p_bucket smallint, p_model bigint[]) returns json
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_missing bigint[];
  v_rows json;
begin
  perform access.teller_scope();
  -- Rows and what is missing are of one snapshot: an owner who comes in between is met by another turn.
  loop
    with terms as materialized (
      select * from market.read_terms(p_model)
    ), found as materialized (
      select e.id as owner_id, a.id
      from (select distinct unnest(t.earners) as id from terms t) e
      left join ledger.account a
        on a.bucket = p_bucket and a.owner_id = e.id and a.asset_id = 0 and a.role = 'earnings'
      where e.id is not null
    )
    select (select json_agg(json_build_array(
              t.model_id, t.external_id, t.version, t.active, t.monetized, t.earnings_policy, t.pricing_version,
              t.pricing, t.creator_id, t.creator_external_id, t.creator_share_bps, t.owners,
              (select json_agg(json_build_array(f.owner_id, f.id)) from found f where f.owner_id = any (t.earners))))
            from terms t),
           (select array_agg(f.owner_id) from found f where f.id is null)
    into v_rows, v_missing;
    exit when v_missing is null;
    perform ledger.write_accounts(p_bucket, v_missing, array_fill(0::smallint, array[cardinality(v_missing)]), 'earnings');
  end loop;
  return v_rows;
end $$;

-- Which models these are, read without a lock.
create or replace function metering.find_models(
  p_model text[], p_character text[], out names text[], out characters bigint[], out models bigint[],
  out versions integer[]
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.teller_scope();
  select v.names, v.characters, v.models, v.versions into names, characters, models, versions
  from market.read_versions(p_model, p_character) v;
end $$;

-- Writes a decided batch; each function is behind its package's door. Hot rows last. Of the rows, bucket and times of
-- recording are this call's; what was used at no other time was used now.
create or replace function metering.post(
  p_bucket smallint, p_at timestamptz, p_entries ledger.entry[], p_transfers ledger.transfer[],
  p_wallet_owner bigint[], p_wallet_asset smallint[], p_wallet_balance bigint[], p_wallet_held bigint[],
  p_wallet_spent bigint[],
  p_moved_account bigint[], p_moved_asset smallint[], p_moved_lot bigint[], p_moved_remaining bigint[],
  p_moved_lapsed bigint[],
  p_usage metering.usage[], p_holds ledger.hold[],
  p_ended_id uuid[], p_ended_state text[], p_ended_captured bigint[],
  p_use_model bigint[], p_use_count bigint[], p_use_credits bigint[], p_use_nanos bigint[], p_use_last timestamptz[],
  p_share_model bigint[], p_share_earner bigint[], p_share_count bigint[], p_share_credits bigint[],
  p_share_nanos bigint[], p_share_last timestamptz[],
  p_earner bigint[], p_earner_nanos bigint[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
  perform access.require_teller_of(
    ledger.payers(p_entries, p_transfers) || p_wallet_owner || p_moved_account
    || array(select u.account_id from unnest(p_usage) u) || array(select h.account_id from unnest(p_holds) h));
  perform ledger.write(p_bucket, p_at, p_entries, p_transfers, p_wallet_owner, p_wallet_asset, p_wallet_balance,
                       p_wallet_held, p_wallet_spent);
  perform wallets.write_moves(p_bucket, p_moved_account, p_moved_asset, p_moved_lot, p_moved_remaining, p_moved_lapsed);
  insert into metering.usage (bucket, id, account_id, asset_id, kind, counted, usage_type, amount, credits,
                              balance_after, nanos, reason, operation, rate_version, model_id, character_id, hold_id,
                              earners, user_label, upstream_model, provider, cost_nanos, quantity, metadata,
                              occurred_at, recorded_at)
  select p_bucket, u.id, u.account_id, u.asset_id, u.kind, u.counted, u.usage_type, u.amount, u.credits,
         u.balance_after, u.nanos, u.reason, u.operation, u.rate_version, u.model_id, u.character_id, u.hold_id,
         u.earners, u.user_label, u.upstream_model, u.provider, u.cost_nanos, u.quantity, u.metadata,
         coalesce(u.occurred_at, p_at), p_at
  from unnest(p_usage) u;
  perform ledger.write_holds(p_bucket, p_at, p_holds);
  perform ledger.write_ends(p_bucket, p_at, p_ended_id, p_ended_state, p_ended_captured);
  perform earnings.write(
    p_bucket, p_at, p_use_model, p_use_count, p_use_credits, p_use_nanos, p_use_last, p_share_model, p_share_earner,
    p_share_count, p_share_credits, p_share_nanos, p_share_last);
  perform ledger.write_earners(p_bucket, p_earner, p_earner_nanos);
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

-- The same by the earners' numbers, for the reversal of a charge. What a review rejected has earned nothing any more.
create or replace function metering.earned_by(p_bucket smallint, p_usage uuid) returns json
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_agg(json_build_array(t.owner_id, t.amount) order by t.leg)
  from metering.usage u
  join ledger.transfer t on t.bucket = u.bucket and t.entry_id = u.id and t.asset_id = 0
  where u.bucket = p_bucket and u.id = p_usage and u.account_id = any (access.teller_scope())
    and not exists (
      select 1 from metering.reversal r where r.bucket = u.bucket and r.usage_id = u.id and r.amount = 0
    )
$$;
