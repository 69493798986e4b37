-- Doors of the rate limits.

-- Counts hits. For each key: how many of the wanted ones are granted, so that no window of p_seconds holds more than
-- p_most, how many the window holds then, and in how many seconds the oldest of them leaves it. A step counts until it
-- lies wholly outside of the window: a hit may block one step (a sixtieth of the window) too long, never too short.
-- Keys are locked in their order, so that two calls never wait for each other; the clock is read under the lock.
create or replace function access.take_hits(p_keys text[], p_most integer[], p_seconds integer[], p_wanted integer[])
returns table (key text, granted integer, used integer, frees_seconds double precision)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_asked record;
  v_ticks bigint[];
  v_hits integer[];
  v_now double precision;
  v_step double precision;
  v_tick bigint;
begin
  perform access.require_platform();
  for v_asked in
    select a.key, a.most, a.seconds, a.wanted from unnest(p_keys, p_most, p_seconds, p_wanted) a (key, most, seconds, wanted)
    order by a.key collate "C"
  loop
    insert into access.rate_window as w (key, ticks, hits, ends_at)
    values (v_asked.key, '{}', '{}', clock_timestamp() + make_interval(secs => v_asked.seconds * 2))
    on conflict on constraint rate_window_pkey do update set ends_at = excluded.ends_at
    returning w.ticks, w.hits into v_ticks, v_hits;
    v_now := extract(epoch from clock_timestamp());
    v_step := v_asked.seconds / 60.0;
    v_tick := floor(v_now / v_step);
    select coalesce(array_agg(u.tick order by u.tick), '{}'), coalesce(array_agg(u.hit order by u.tick), '{}'),
           coalesce(sum(u.hit), 0)
    into v_ticks, v_hits, used
    from unnest(v_ticks, v_hits) u (tick, hit) where u.tick >= v_tick - 60;
    key := v_asked.key;
    granted := greatest(0, least(v_asked.wanted, v_asked.most - used));
    if granted > 0 then
      used := used + granted;
      if v_ticks[cardinality(v_ticks)] = v_tick then
        v_hits[cardinality(v_hits)] := v_hits[cardinality(v_hits)] + granted;
      else
        v_ticks := v_ticks || v_tick;
        v_hits := v_hits || granted;
      end if;
      update access.rate_window w set ticks = v_ticks, hits = v_hits where w.key = v_asked.key;
    end if;
    frees_seconds := case when used = 0 then 0 else (v_ticks[1] + 61) * v_step - v_now end;
    return next;
  end loop;
end $$;

-- Drops the windows that nobody hit any more; how many. Those that somebody hits just now are left.
create or replace function access.sweep_rate_windows() returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_count integer;
begin
  perform access.require_platform();
  delete from access.rate_window w
  where w.key in (
    select d.key from access.rate_window d where d.ends_at < clock_timestamp() limit 10000 for update skip locked
  );
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- Gives a key a limit of its own.
create or replace function access.limit_key(p_id uuid, p_per_minute integer) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update access.api_key set rate_limit_per_minute = p_per_minute where id = p_id;
end $$;
