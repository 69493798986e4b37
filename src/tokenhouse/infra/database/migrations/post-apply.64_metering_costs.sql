-- What uses cost at the provider. Not on the way of a charge: the jobs queue, price and write.

-- Queues the uses of these transactions that named no cost but tokens of an upstream model, their model's own where
-- they said none.
create or replace function metering.queue_costs(p_low bigint, p_high bigint) returns void
language sql as $$
  insert into metering.cost (bucket, usage_id, provider, model)
  select u.bucket, u.id, coalesce(case when u.upstream_model is null then m.provider else u.provider end, ''),
         coalesce(u.upstream_model, m.upstream_model)
  from metering.usage u
  left join market.model m on m.id = u.model_id
  where u.xact >= p_low and u.xact < p_high and u.cost_nanos is null and u.kind <> 'report'
    and coalesce(u.upstream_model, m.upstream_model) is not null and jsonb_typeof(u.quantity) = 'object'
    and u.quantity ?| array['input_token', 'cached_input_token', 'output_token']
  on conflict (bucket, usage_id) do nothing
$$;

-- Writes what queued uses cost, or (nanos null) with which tables their price was looked for in vain. Returns those
-- that had no cost before, with what they have now.
create or replace function metering.write_costs(
  p_bucket smallint[], p_usage uuid[], p_nanos bigint[], p_source text[], p_version text[], p_tried text
) returns table (bucket smallint, usage_id uuid, nanos bigint)
language sql as $$
  update metering.cost k
  set nanos = n.nanos, source = n.source, version = n.version, tried = p_tried
  from unnest(p_bucket, p_usage, p_nanos, p_source, p_version) n (bucket, usage_id, nanos, source, version)
  where k.bucket = n.bucket and k.usage_id = n.usage_id and k.nanos is null
  returning k.bucket, k.usage_id, n.nanos
$$;

-- Adds the operator's prices as a new version, whose number it returns. Nano-dollars a million tokens.
create or replace function metering.import_prices(
  p_provider text[], p_model text[], p_valid_from timestamptz[], p_input bigint[], p_cached bigint[], p_output bigint[]
) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_version integer;
begin
  perform access.require_platform();
  perform pg_advisory_xact_lock(hashtextextended('metering.import_prices', 0));
  select coalesce(max(p.version), 0) + 1 into v_version from metering.upstream_price p;
  insert into metering.upstream_price (provider, model, valid_from, version, input_nanos, cached_nanos, output_nanos,
                                       imported_at)
  select n.provider, n.model, n.valid_from, v_version, n.input, n.cached, n.output, clock_timestamp()
  from unnest(p_provider, p_model, p_valid_from, p_input, p_cached, p_output)
    n (provider, model, valid_from, input, cached, output);
  return v_version;
end $$;
