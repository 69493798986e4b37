-- The earnings' aggregates. Hot rows: they are written last, in key order, once a batch.

-- Locks the standings of models whose tiers count exactly, made where they are missing, and tells their uses over all
-- buckets (those of the other buckets as last committed).
create or replace function earnings.read_standings(
  p_bucket smallint, p_model bigint[], out models bigint[], out uses bigint[]
)
language plpgsql as $$
begin
  loop
    with locked as materialized (
      select s.model_id, s.uses from earnings.standing s where s.bucket = p_bucket and s.model_id = any (p_model)
      order by s.model_id for no key update
    )
    select array_agg(l.model_id), array_agg(l.uses) into models, uses from locked l;
    exit when cardinality(models) = (select count(distinct m.id) from unnest(p_model) m (id));
    insert into earnings.standing (bucket, model_id)
    select distinct p_bucket, m.id from unnest(p_model) m (id)
    order by 2
    on conflict do nothing;
  end loop;
  if (select d.buckets from access.deployment d) > 1 then
    select array_agg(m.model_id), array_agg(m.uses) into models, uses
    from (
      select s.model_id, sum(s.uses)::bigint as uses
      from access.deployment d
      cross join generate_series(0, d.buckets - 1) b (bucket)
      join earnings.standing s on s.bucket = b.bucket and s.model_id = any (p_model)
      group by s.model_id
    ) m;
  end if;
end $$;

create or replace function earnings.lock_standings(p_bucket smallint, p_model bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.teller_scope();
  perform earnings.read_standings(p_bucket, p_model);
end $$;

-- Adds uses, credits and nano-dollars to models (by model) and to their earners (by model and earner).
create or replace function earnings.write(
  p_bucket smallint, p_at timestamptz,
  p_model bigint[], p_uses bigint[], p_credits bigint[], p_nanos bigint[], p_last timestamptz[],
  p_of_model bigint[], p_earner bigint[], p_earner_uses bigint[], p_earner_credits bigint[], p_earner_nanos bigint[],
  p_earner_last timestamptz[]
) returns void
language plpgsql as $$
begin
  if p_model = '{}' then
    return;
  end if;
  insert into earnings.standing as s (bucket, model_id, uses, credits, nanos, last_used_at)
  select p_bucket, p_model[i], p_uses[i], p_credits[i], p_nanos[i], p_last[i]
  from unnest(p_model) with ordinality n (_, i)
  order by 2
  on conflict (bucket, model_id) do update
  set uses = s.uses + excluded.uses, credits = s.credits + excluded.credits, nanos = s.nanos + excluded.nanos,
      last_used_at = greatest(s.last_used_at, excluded.last_used_at);
  insert into earnings.model_earner as e (bucket, model_id, earner_id, uses, credits, nanos, last_used_at, created_at,
                                          updated_at)
  select p_bucket, p_of_model[i], p_earner[i], p_earner_uses[i], p_earner_credits[i], p_earner_nanos[i],
         p_earner_last[i], p_at, p_at
  from unnest(p_of_model) with ordinality n (_, i)
  order by 2, 3
  on conflict (bucket, model_id, earner_id) do update
  set uses = e.uses + excluded.uses, credits = e.credits + excluded.credits, nanos = e.nanos + excluded.nanos,
      last_used_at = greatest(e.last_used_at, excluded.last_used_at), updated_at = excluded.updated_at;
end $$;
