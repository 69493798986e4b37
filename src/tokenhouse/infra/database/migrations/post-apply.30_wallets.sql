-- Doors of the wallets: what a balance is made of. Wallets are locked (ledger.lock_wallets) before any of these.

-- The lots with something left that these accounts have of these assets, by column; expiry as epoch seconds or null.
create or replace function wallets.read_lots(
  p_bucket smallint, p_account bigint[], p_asset smallint[],
  out accounts bigint[], out assets smallint[], out ids bigint[], out lefts bigint[], out sources text[],
  out priorities integer[], out expiries double precision[]
)
language plpgsql stable as $$
begin
  select array_agg(l.account_id), array_agg(l.asset_id), array_agg(l.id), array_agg(l.remaining), array_agg(l.source),
         array_agg(l.priority), array_agg(date_part('epoch', l.expires_at))
  into accounts, assets, ids, lefts, sources, priorities, expiries
  from wallets.lot l
  where l.bucket = p_bucket and l.account_id = any (p_account) and l.asset_id = any (p_asset) and l.remaining > 0;
end $$;

create or replace function wallets.lots_of(
  p_bucket smallint, p_account bigint[], p_asset smallint[],
  out accounts bigint[], out assets smallint[], out ids bigint[], out lefts bigint[], out sources text[],
  out priorities integer[], out expiries double precision[]
)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(p_account);
  select l.accounts, l.assets, l.ids, l.lefts, l.sources, l.priorities, l.expiries
  into accounts, assets, ids, lefts, sources, priorities, expiries
  from wallets.read_lots(p_bucket, p_account, p_asset) l;
end $$;

-- Changes lots: what is left of them, and what lapsed. Raises TH409 where a lot is missing.
create or replace function wallets.write_moves(
  p_bucket smallint, p_account bigint[], p_asset smallint[], p_lot bigint[], p_remaining bigint[], p_lapsed bigint[]
) returns void
language plpgsql as $$
declare
  v_count bigint;
begin
  update wallets.lot l
  set remaining = l.remaining + p_remaining[i], lapsed = l.lapsed + p_lapsed[i]
  from unnest(p_lot) with ordinality n (_, i)
  where l.bucket = p_bucket and l.account_id = p_account[i] and l.asset_id = p_asset[i] and l.id = p_lot[i];
  get diagnostics v_count = row_count;
  if v_count <> coalesce(array_length(p_lot, 1), 0) then
    raise exception 'a grant is missing' using errcode = 'TH409';
  end if;
end $$;

create or replace function wallets.move_lots(
  p_bucket smallint, p_account bigint[], p_asset smallint[], p_lot bigint[], p_remaining bigint[], p_lapsed bigint[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(p_account);
  perform wallets.write_moves(p_bucket, p_account, p_asset, p_lot, p_remaining, p_lapsed);
end $$;

create or replace function wallets.open_lots(
  p_bucket smallint, p_at timestamptz, p_account bigint[], p_asset smallint[], p_lot bigint[], p_source text[],
  p_amount bigint[], p_remaining bigint[], p_priority integer[], p_expires_at timestamptz[],
  p_period_started_at timestamptz[], p_entry uuid[], p_note text[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(p_account);
  insert into wallets.lot (bucket, account_id, asset_id, id, source, amount, remaining, priority, expires_at,
                           period_started_at, entry_id, note, created_at)
  select p_bucket, n.account_id, n.asset_id, n.id, n.source, n.amount, n.remaining, n.priority, n.expires_at,
         n.period_started_at, n.entry_id, n.note, p_at
  from unnest(p_account, p_asset, p_lot, p_source, p_amount, p_remaining, p_priority, p_expires_at,
              p_period_started_at, p_entry, p_note)
    n (account_id, asset_id, id, source, amount, remaining, priority, expires_at, period_started_at, entry_id, note);
end $$;

-- New numbers for lots.
create or replace function wallets.next_lots(p_count integer) returns bigint[]
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  select array_agg(nextval('wallets.lot_id')) from generate_series(1, p_count)
  where cardinality(access.teller_scope()) > 0
$$;

create or replace function wallets.enrol(
  p_bucket smallint, p_at timestamptz, p_account bigint, p_plan text, p_anchor timestamptz,
  p_period_started_at timestamptz, p_renews_at timestamptz
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  insert into wallets.enrolment (bucket, account_id, plan_id, anchor, period_started_at, renews_at, changed_at)
  values (p_bucket, p_account, p_plan, p_anchor, p_period_started_at, p_renews_at, p_at)
  on conflict (bucket, account_id) do update
  set plan_id = excluded.plan_id, anchor = excluded.anchor, period_started_at = excluded.period_started_at,
      renews_at = excluded.renews_at, changed_at = excluded.changed_at;
  perform wallets.note_plan(p_bucket, p_at, p_account, p_plan);
end $$;

-- Lets grants of an account end now, if they do not sooner.
create or replace function wallets.end_lots(
  p_bucket smallint, p_at timestamptz, p_account bigint, p_asset smallint[], p_lot bigint[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  update wallets.lot l set expires_at = least(l.expires_at, p_at)
  from unnest(p_asset, p_lot) e (asset_id, id)
  where l.bucket = p_bucket and l.account_id = p_account and l.asset_id = e.asset_id and l.id = e.id;
end $$;
