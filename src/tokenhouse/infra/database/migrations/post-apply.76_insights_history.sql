-- Doors of the history, of exports and of forecasts.

-- What moved an account's dollars, the newest first, from before (p_before, p_leg) on and not before p_floor: what uses
-- earned it and what their reversals took back, with the payer as a pseudonym; payouts and whatever else there is by
-- its own kind. Below zero where it left the account. Null filters match everything. Raises TH403 for a token that does
-- not name the account.
create or replace function insights.dollars_of(
  p_account bigint, p_before uuid, p_leg integer, p_floor uuid, p_since timestamptz, p_until timestamptz,
  p_kinds text[], p_model bigint, p_operation text, p_user text, p_text text, p_least bigint, p_most integer
) returns table (
  id uuid, leg integer, kind text, occurred_at timestamptz, created_at timestamptz, nanos bigint, used bigint,
  model_id text, operation text, usage_type text, user_id text, charge_id uuid
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_accounts(array[p_account]);
  return query
  select f.entry_id, f.leg::integer, f.kind, coalesce(f.used_at, f.recorded_at), f.recorded_at,
         case when f.credit_id > 0 then f.amount else -f.amount end, coalesce(-f.given_back, f.credits),
         f.external_id, f.operation, f.usage_type,
         case when f.account_id is not null then access.pseudonym(p_account, f.account_id) end, f.usage_id
  from access.deployment d
  cross join generate_series(0, d.buckets - 1) b (bucket)
  cross join lateral (
    select t.entry_id, t.leg, t.kind, t.recorded_at, t.credit_id, t.amount, u.occurred_at as used_at,
           r.amount as given_back, u.credits, m.external_id, u.operation, u.usage_type::text, u.account_id,
           u.id as usage_id
    from ledger.transfer t
    -- limit: a look-up for each row, never the whole table at once
    left join lateral (
      select x.* from metering.reversal x
      where t.kind = 'reversal' and x.bucket = t.bucket and x.id = t.entry_id limit 1
    ) r on true
    left join lateral (
      select x.* from metering.usage x
      where t.kind in ('earning', 'reversal') and x.bucket = t.bucket and x.id = coalesce(r.usage_id, t.entry_id) limit 1
    ) u on true
    left join market.model m on m.id = u.model_id
    -- The account twice: the planner, which takes that for fewer rows, then reads by the index of earners.
    where t.bucket = b.bucket and t.owner_id = p_account and t.owner_id between p_account and p_account
      and t.asset_id = 0 and t.entry_id between p_floor and p_before and (t.entry_id, t.leg) < (p_before, p_leg)
      and (t.credit_id > 0 or t.debit_id > 0)
      and (p_kinds is null or t.kind = any (p_kinds))
      and (p_least is null or t.amount >= p_least)
      and (p_since is null or coalesce(u.occurred_at, t.recorded_at) >= p_since)
      and (p_until is null or coalesce(u.occurred_at, t.recorded_at) < p_until)
      and (p_model is null or u.model_id = p_model)
      and (p_operation is null or u.operation = p_operation)
      and (p_user is null or access.pseudonym(p_account, u.account_id) = p_user)
      and (p_text is null or strpos(lower(concat_ws(' ', t.kind, u.operation, u.usage_type, m.external_id, m.name,
             access.pseudonym(p_account, u.account_id), t.entry_id, u.id)), p_text) > 0)
    order by t.entry_id desc, t.leg desc
    limit p_most
  ) f
  order by f.entry_id desc, f.leg desc
  limit p_most;
end $$;

-- Puts an export into the queue; false where the account has p_most that are not made yet.
create or replace function insights.request_export(
  p_id uuid, p_account bigint, p_kind text, p_format text, p_asked jsonb, p_most integer
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform pg_advisory_xact_lock(hashtextextended('insights.request_export', p_account));
  if (select count(*) from insights.export_job j
      where j.account_id = p_account and j.state in ('queued', 'running')) >= p_most then
    return false;
  end if;
  insert into insights.export_job (id, account_id, kind, format, asked)
  values (p_id, p_account, p_kind, p_format, p_asked);
  return true;
end $$;

-- Takes the export that was asked for first. One process makes exports, so that what is `running` was left by one that
-- died: it begins anew. After p_most_tries it has failed.
create or replace function insights.take_export(p_most_tries integer)
returns table (id uuid, account_id bigint, kind text, format text, asked jsonb)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update insights.export_job j
  set state = 'failed', ended_at = clock_timestamp(), trouble = coalesce(j.trouble, 'it was begun too often')
  where j.state in ('queued', 'running') and j.tries >= p_most_tries;
  return query
  update insights.export_job j
  set state = 'running', tries = j.tries + 1, rows = 0, total = null
  where j.id = (
    select o.id from insights.export_job o where o.state in ('queued', 'running') order by o.tries, o.id limit 1
  )
  returning j.id, j.account_id, j.kind, j.format, j.asked;
end $$;

-- How far an export is.
create or replace function insights.advance_export(p_id uuid, p_rows bigint, p_total bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update insights.export_job j set rows = p_rows, total = coalesce(p_total, j.total)
  where j.id = p_id and j.state = 'running';
end $$;

-- An export has its end: done, failed, or (queued) to be tried again. False where it has none to come: it was expired.
create or replace function insights.end_export(p_id uuid, p_state text, p_rows bigint, p_bytes bigint, p_trouble text)
returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update insights.export_job j
  set state = p_state, rows = coalesce(p_rows, j.rows), bytes = p_bytes, trouble = p_trouble,
      ended_at = case when p_state <> 'queued' then clock_timestamp() end
  where j.id = p_id and j.state = 'running';
  return found;
end $$;

-- Exports whose files are to be deleted: those that ended so many seconds ago, and those of people who were erased.
create or replace function insights.expire_exports(p_seconds integer) returns uuid[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_ids uuid[];
begin
  perform access.require_platform();
  with expired as (
    update insights.export_job j
    set state = 'expired', ended_at = coalesce(j.ended_at, clock_timestamp()),
        asked = case when a.erased_at is null then j.asked else '{}' end
    from access.account a
    where a.id = j.account_id and j.state <> 'expired'
      and (a.erased_at is not null or j.ended_at < clock_timestamp() - make_interval(secs => p_seconds))
    returning j.id
  )
  select array_agg(e.id) into v_ids from expired e;
  return coalesce(v_ids, '{}');
end $$;

-- Asks for a forecast.
create or replace function insights.request_forecast(p_account bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  insert into insights.forecast as f (account_id) values (p_account)
  on conflict (account_id) do update set wanted = true where not f.wanted;
end $$;

-- Asks for a forecast for everybody who earned by what was used since p_since and has none of the last p_hours; returns
-- for how many. One that was made later than now, before the clock was set back, is none.
create or replace function insights.request_forecasts(p_since timestamptz, p_hours integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_count integer;
begin
  perform access.require_platform();
  insert into insights.forecast as f (account_id)
  select distinct e.earner_id from earnings.model_earner e where e.last_used_at >= p_since
  on conflict (account_id) do update set wanted = true
  where not f.wanted
    and f.made_at not between clock_timestamp() - make_interval(hours => p_hours) and clock_timestamp();
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- Keeps a forecast: mean, low and high of 30 and of 90 days, or null for not enough history.
create or replace function insights.keep_forecast(
  p_account bigint, p_as_of date, p_days integer, p_method text, p_figures bigint[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update insights.forecast f
  set wanted = false, made_at = clock_timestamp(), as_of = p_as_of, days = p_days, method = p_method,
      mean_30 = p_figures[1], low_30 = p_figures[2], high_30 = p_figures[3],
      mean_90 = p_figures[4], low_90 = p_figures[5], high_90 = p_figures[6]
  where f.account_id = p_account;
end $$;
