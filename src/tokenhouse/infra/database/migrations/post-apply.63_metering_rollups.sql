-- What recorded use is made of: what happened, and what was given back of it, each with its own sign.

-- A use, or (amounts below zero) a reversal of one, at the time of the use. xact: the transaction that recorded it. id:
-- the entry, whose transfers say who paid and who earned how much. counts: whether it is a use of an owned model by
-- somebody else. It has no settings of its own, so that it becomes part of the statement that asks.
create or replace function metering.parts() returns table (
  bucket smallint, id uuid, xact bigint, at timestamptz, account_id bigint, asset_id smallint, model_id bigint,
  operation text, usage_type text, user_label text, earners bigint[], counts boolean,
  uses integer, credits bigint, counted integer, counted_credits bigint, nanos bigint, cost_nanos bigint
)
language sql stable as $$
  select u.bucket, u.id, u.xact, u.occurred_at, u.account_id, u.asset_id, u.model_id, u.operation, u.usage_type::text,
         u.user_label, u.earners, u.counted, (u.kind <> 'report')::integer, u.amount, u.counted::integer,
         case when u.counted then u.credits else 0 end, u.nanos, coalesce(u.cost_nanos, 0)
  from metering.usage u
  union all
  select u.bucket, r.id, r.xact, u.occurred_at, u.account_id, u.asset_id, u.model_id, u.operation, u.usage_type::text,
         u.user_label, u.earners, u.counted, -r.whole::integer, -r.amount, -(r.whole and u.counted)::integer,
         case when u.counted then -r.amount else 0 end, -r.nanos, 0
  from metering.reversal r
  join metering.usage u on u.bucket = r.bucket and u.id = r.usage_id
$$;

-- Records restored into another cluster bear numbers that its transactions have yet to reach: they get this one's.
create or replace function metering.renumber() returns void
language plpgsql as $$
declare
  v_now bigint := pg_current_xact_id()::text::bigint;
begin
  update metering.usage u set xact = v_now where u.xact > v_now;
  update metering.reversal r set xact = v_now where r.xact > v_now;
end $$;
