-- The plans that accounts were on.

-- Writes down that an account is on a plan from now on, where that is another than before.
create or replace function wallets.note_plan(p_bucket smallint, p_at timestamptz, p_account bigint, p_plan text)
returns void
language plpgsql as $$
declare
  v_last wallets.plan_span;
begin
  select s.* into v_last from wallets.plan_span s where s.bucket = p_bucket and s.account_id = p_account
  order by s.since desc limit 1;
  if v_last is null then
    insert into wallets.plan_span (bucket, account_id, since, plan_id) values (p_bucket, p_account, '-infinity', p_plan);
  elsif v_last.plan_id <> p_plan then
    insert into wallets.plan_span as s (bucket, account_id, since, plan_id)
    values (p_bucket, p_account, greatest(p_at, v_last.since), p_plan)
    on conflict (bucket, account_id, since) do update set plan_id = excluded.plan_id;
  end if;
end $$;

-- The plan of an account at a time; null for one that was never on any.
create or replace function wallets.plan_at(p_bucket smallint, p_account bigint, p_at timestamptz) returns text
language sql stable as $$
  select s.plan_id from wallets.plan_span s
  where s.bucket = p_bucket and s.account_id = p_account and s.since <= p_at
  order by s.since desc limit 1
$$;
