-- The only writers of balances. A door is SECURITY DEFINER: it runs as th_owner and asks for the right token first: a
-- teller's (its set of accounts, -1 among them) or the platform's (0); an ordinary tenant token can post nothing. What
-- is not SECURITY DEFINER is behind the doors: only they may execute it (post-apply.90_guard.sql), and it checks
-- nothing again.

-- The smallint id of an asset, made where it is new. Raises TH403 without the platform's token.
create or replace function ledger.open_asset(p_code text) returns smallint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_id smallint;
begin
  perform access.require_platform();
  perform pg_advisory_xact_lock(hashtextextended('ledger.open_asset', 0));
  select id into v_id from ledger.asset where code = p_code;
  if v_id is null then
    insert into ledger.asset (id, code) select max(id) + 1, p_code from ledger.asset returning id into v_id;
  end if;
  return v_id;
end $$;

-- Opens the ledger accounts that are missing, in key order.
create or replace function ledger.write_accounts(p_bucket smallint, p_owner bigint[], p_asset smallint[], p_role text)
returns void
language plpgsql as $$
begin
  insert into ledger.account (bucket, owner_id, asset_id, role)
  select distinct p_bucket, n.owner_id, n.asset_id, p_role
  from unnest(p_owner, p_asset) n (owner_id, asset_id)
  order by 2, 3
  on conflict do nothing;
end $$;

create or replace function ledger.open_accounts(p_bucket smallint, p_owner bigint[], p_asset smallint[], p_role text)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.teller_scope();
  perform ledger.write_accounts(p_bucket, p_owner, p_asset, p_role);
end $$;

-- Locks the wallets that these owners have of these assets, in key order (so that two batches never wait for each other
-- in a ring), and tells what they hold, by column. One scan for all: pair by pair would take half as long again, and the
-- few more, where a batch takes from several assets, harm nobody.
create or replace function ledger.read_wallets(
  p_bucket smallint, p_owner bigint[], p_asset smallint[],
  out owners bigint[], out assets smallint[], out accounts bigint[], out balances bigint[], out helds bigint[],
  out dues boolean[]
)
language plpgsql as $$
begin
  with locked as materialized (
    select a.owner_id, a.asset_id, a.id, a.balance, a.held, coalesce(a.due_at <= clock_timestamp(), false) as due
    from ledger.account a
    where a.bucket = p_bucket and a.owner_id = any (p_owner) and a.asset_id = any (p_asset) and a.role = 'wallet'
    order by a.owner_id, a.asset_id
    for no key update of a
  )
  select array_agg(l.owner_id), array_agg(l.asset_id), array_agg(l.id), array_agg(l.balance), array_agg(l.held),
         array_agg(l.due)
  into owners, assets, accounts, balances, helds, dues from locked l;
end $$;

create or replace function ledger.lock_wallets(
  p_bucket smallint, p_owner bigint[], p_asset smallint[],
  out owners bigint[], out assets smallint[], out accounts bigint[], out balances bigint[], out helds bigint[],
  out dues boolean[]
)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(p_owner);
  select w.owners, w.assets, w.accounts, w.balances, w.helds, w.dues
  into owners, assets, accounts, balances, helds, dues from ledger.read_wallets(p_bucket, p_owner, p_asset) w;
end $$;

-- What was already done under these keys: a JSON array of [account, key, id, kind, fingerprint, answer].
create or replace function ledger.read_entries(p_bucket smallint, p_account bigint[], p_key text[]) returns json
language plpgsql stable as $$
declare
  v_rows json;
begin
  select json_agg(json_build_array(e.account_id, e.key, e.id, e.kind, encode(e.fingerprint, 'hex'), e.answer))
  into v_rows
  from unnest(p_key) with ordinality n (_, i)
  -- limit: the keys must lead the join, also while the planner still takes the table for an empty one
  cross join lateral (
    select * from ledger.entry x where x.bucket = p_bucket and x.account_id = p_account[i] and x.key = p_key[i] limit 1
  ) e;
  return v_rows;
end $$;

-- Locks holds in key order: a JSON array of [id, account, asset, amount, state, over, details].
create or replace function ledger.read_holds(p_bucket smallint, p_id uuid[]) returns json
language plpgsql as $$
declare
  v_scope bigint[] := access.teller_scope();
  v_rows json;
begin
  with locked as materialized (
    select h.* from ledger.hold h
    where h.bucket = p_bucket and h.id = any (p_id) and (h.account_id = any (v_scope) or 0 = any (v_scope))
    order by h.id
    for no key update
  )
  select json_agg(json_build_array(l.id, l.account_id, l.asset_id, l.amount, l.state, l.expires_at <= clock_timestamp(),
                                   l.details))
  into v_rows from locked l;
  return v_rows;
end $$;

-- Whose rows these are. A transfer of dollars pays an earner, whom no teller's token needs to name.
create or replace function ledger.payers(p_entries ledger.entry[], p_transfers ledger.transfer[]) returns bigint[]
language plpgsql stable as $$
begin
  return array(select e.account_id from unnest(p_entries) e)
         || array(select t.owner_id from unnest(p_transfers) t where t.asset_id <> 0);
end $$;

-- Writes one decided batch: entries, transfers, and the change they make to the wallets (each named once, and locked
-- already). Of the rows, bucket and time are this call's. The table's checks are the floors. Raises TH409 where a
-- wallet is missing. The dollars of its transfers reach the earners' accounts by ledger.write_earners, last in the same
-- statement.
create or replace function ledger.write(
  p_bucket smallint, p_at timestamptz, p_entries ledger.entry[], p_transfers ledger.transfer[],
  p_wallet_owner bigint[], p_wallet_asset smallint[], p_wallet_balance bigint[], p_wallet_held bigint[],
  p_wallet_spent bigint[]
) returns void
language plpgsql as $$
declare
  v_count bigint;
begin
  insert into ledger.entry (bucket, account_id, key, id, kind, fingerprint, answer, recorded_at)
  select p_bucket, e.account_id, e.key, e.id, e.kind, e.fingerprint, e.answer, p_at from unnest(p_entries) e;
  insert into ledger.transfer (bucket, entry_id, leg, kind, asset_id, debit_id, credit_id, amount, owner_id, lot_id,
                               recorded_at)
  select p_bucket, t.entry_id, t.leg, t.kind, t.asset_id, t.debit_id, t.credit_id, t.amount, t.owner_id, t.lot_id, p_at
  from unnest(p_transfers) t;
  update ledger.account a
  set balance = a.balance + p_wallet_balance[i], held = a.held + p_wallet_held[i],
      spent = a.spent + p_wallet_spent[i],
      last_spent_at = case when p_wallet_spent[i] > 0 then p_at else a.last_spent_at end
  from unnest(p_wallet_owner) with ordinality n (_, i)
  where a.bucket = p_bucket and a.owner_id = p_wallet_owner[i] and a.asset_id = p_wallet_asset[i]
    and a.role = 'wallet';
  get diagnostics v_count = row_count;
  if v_count <> coalesce(array_length(p_wallet_owner, 1), 0) then
    raise exception 'a wallet is missing' using errcode = 'TH409';
  end if;
end $$;

create or replace function ledger.post(
  p_bucket smallint, p_at timestamptz, p_entries ledger.entry[], p_transfers ledger.transfer[],
  p_wallet_owner bigint[], p_wallet_asset smallint[], p_wallet_balance bigint[], p_wallet_held bigint[],
  p_wallet_spent bigint[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(ledger.payers(p_entries, p_transfers) || p_wallet_owner);
  perform ledger.write(p_bucket, p_at, p_entries, p_transfers, p_wallet_owner, p_wallet_asset, p_wallet_balance,
                       p_wallet_held, p_wallet_spent);
end $$;

-- Adds to (or, for a reversal, takes from) earners' accounts. Hot rows, so last, and given in key order, in which they
-- are locked whichever side leads the join. Raises TH409 where one is missing.
create or replace function ledger.write_earners(p_bucket smallint, p_earner bigint[], p_nanos bigint[]) returns void
language plpgsql as $$
declare
  v_count bigint;
begin
  if p_earner = '{}' then
    return;
  end if;
  update ledger.account a
  set balance = a.balance + p_nanos[i]
  from unnest(p_earner) with ordinality n (_, i)
  where a.bucket = p_bucket and a.owner_id = p_earner[i] and a.asset_id = 0 and a.role = 'earnings';
  get diagnostics v_count = row_count;
  if v_count <> array_length(p_earner, 1) then
    raise exception 'an earnings account is missing' using errcode = 'TH409';
  end if;
end $$;

-- Locks earners' accounts in key order and tells what they hold, by column.
create or replace function ledger.lock_earners(
  p_bucket smallint, p_owner bigint[], out owners bigint[], out accounts bigint[], out balances bigint[]
)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.teller_scope();
  with locked as materialized (
    select a.owner_id, a.id, a.balance from ledger.account a
    where a.bucket = p_bucket and a.owner_id = any (p_owner) and a.asset_id = 0 and a.role = 'earnings'
    order by a.owner_id
    for no key update
  )
  select array_agg(l.owner_id), array_agg(l.id), array_agg(l.balance) into owners, accounts, balances from locked l;
end $$;

-- Locks what an earner is owed, bucket by bucket in their order, and tells it by column.
create or replace function ledger.lock_earnings(
  p_owner bigint, out buckets smallint[], out accounts bigint[], out balances bigint[]
)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_owner]);
  with locked as materialized (
    select a.bucket, a.id, a.balance
    from ledger.account a
    where a.bucket in (select generate_series(0, d.buckets - 1)::smallint from access.deployment d)
      and a.owner_id = p_owner and a.asset_id = 0 and a.role = 'earnings'
    order by a.bucket
    for no key update of a
  )
  select array_agg(l.bucket), array_agg(l.id), array_agg(l.balance) into buckets, accounts, balances from locked l;
end $$;

-- Writes what moves to or from earners but for no use: their accounts are locked. Raises TH403 unless the token may post
-- for every account that is named, as the one whose command it is or whose dollars move.
create or replace function ledger.post_earnings(
  p_bucket smallint, p_at timestamptz, p_entries ledger.entry[], p_transfers ledger.transfer[], p_earner bigint[],
  p_nanos bigint[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array(select e.account_id from unnest(p_entries) e)
                                   || array(select t.owner_id from unnest(p_transfers) t) || p_earner);
  perform ledger.write(p_bucket, p_at, p_entries, p_transfers, '{}', '{}', '{}', '{}', '{}');
  perform ledger.write_earners(p_bucket, p_earner, p_nanos);
end $$;

-- Lets time find a wallet at this moment, if not sooner.
create or replace function ledger.bring_forward(p_bucket smallint, p_owner bigint, p_asset smallint, p_at timestamptz)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_owner]);
  update ledger.account a set due_at = least(a.due_at, p_at)
  where a.bucket = p_bucket and a.owner_id = p_owner and a.asset_id = p_asset and a.role = 'wallet';
end $$;

-- Sets holds aside; the wallets' held amounts are written with them.
create or replace function ledger.write_holds(p_bucket smallint, p_at timestamptz, p_holds ledger.hold[]) returns void
language plpgsql as $$
begin
  if p_holds <> '{}' then
    insert into ledger.hold (bucket, id, account_id, asset_id, amount, expires_at, created_at, details)
    select p_bucket, h.id, h.account_id, h.asset_id, h.amount, h.expires_at, p_at, h.details from unnest(p_holds) h;
    -- Its end makes the wallet due: nobody is told of less than there is because a hold has not been swept yet.
    update ledger.account a
    set due_at = least(a.due_at, n.expires_at)
    from (
      select h.account_id, h.asset_id, min(h.expires_at) as expires_at from unnest(p_holds) h
      group by h.account_id, h.asset_id
    ) n
    where a.bucket = p_bucket and a.owner_id = n.account_id and a.asset_id = n.asset_id and a.role = 'wallet';
  end if;
end $$;

-- Ends live holds (already locked): captured, voided or expired. Raises TH409 where one has ended.
create or replace function ledger.write_ends(
  p_bucket smallint, p_at timestamptz, p_id uuid[], p_state text[], p_captured bigint[]
) returns void
language plpgsql as $$
declare
  v_scope bigint[];
  v_count bigint;
begin
  if p_id = '{}' then
    return;
  end if;
  v_scope := access.teller_scope();
  update ledger.hold h
  set state = e.state, captured = e.captured, ended_at = p_at
  from unnest(p_id, p_state, p_captured) e (id, state, captured)
  where h.bucket = p_bucket and h.id = e.id and h.state = 'live'
    and (h.account_id = any (v_scope) or 0 = any (v_scope));
  get diagnostics v_count = row_count;
  if v_count <> array_length(p_id, 1) then
    raise exception 'a hold has ended' using errcode = 'TH409';
  end if;
end $$;

-- Ends live holds whose wallets are locked; the wallets' held amounts are posted in the same transaction.
create or replace function ledger.end_holds(
  p_bucket smallint, p_at timestamptz, p_id uuid[], p_state text[], p_captured bigint[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform ledger.write_ends(p_bucket, p_at, p_id, p_state, p_captured);
end $$;

-- When time next changes these wallets, a live hold's end among it; where a new period begins, what was spent before it
-- no longer counts.
create or replace function ledger.schedule(
  p_bucket smallint, p_owner bigint, p_asset smallint[], p_due_at timestamptz[], p_new_period boolean
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_owner]);
  update ledger.account a
  set due_at = least(d.due_at, case when a.held > 0 then (
        select min(h.expires_at) from ledger.hold h
        where h.bucket = a.bucket and h.account_id = a.owner_id and h.asset_id = a.asset_id and h.state = 'live') end),
      spent_mark = case when p_new_period then a.spent else a.spent_mark end
  from unnest(p_asset, p_due_at) d (asset_id, due_at)
  where a.bucket = p_bucket and a.owner_id = p_owner and a.asset_id = d.asset_id and a.role = 'wallet';
end $$;
