-- Doors of adjustments, bonuses and goals. The money itself moves by ledger.post_earnings, in the same transaction.

-- Records what was paid to an earner or taken back but for no use. Unique violation: the bonus was paid before.
create or replace function earnings.record_adjustment(
  p_bucket smallint, p_at timestamptz, p_id uuid, p_account bigint, p_kind text, p_nanos bigint, p_model bigint,
  p_reason text, p_rule text, p_rule_version integer, p_subject text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  insert into earnings.adjustment (bucket, id, account_id, kind, nanos, model_id, reason, rule, rule_version, subject,
                                   recorded_at)
  values (p_bucket, p_id, p_account, p_kind, p_nanos, p_model, p_reason, p_rule, p_rule_version, p_subject, p_at);
end $$;

-- Bonuses of one rule are paid one after the other, by whichever process.
create or replace function earnings.lock_bonus(p_rule text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform pg_advisory_xact_lock(hashtextextended('earnings.bonus ' || p_rule, 0));
end $$;

-- Makes a goal. False where the account has p_most already.
create or replace function earnings.add_goal(
  p_account bigint, p_id uuid, p_name text, p_nanos bigint, p_model bigint, p_since timestamptz, p_due_on text,
  p_most bigint
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  -- Two at once would both find room.
  perform pg_advisory_xact_lock(hashtextextended('earnings.goal', p_account));
  insert into earnings.goal (id, account_id, name, nanos, model_id, since, due_on)
  select p_id, p_account, p_name, p_nanos, p_model, p_since, p_due_on::date
  where (select count(*) from earnings.goal g where g.account_id = p_account) < p_most;
  return found;
end $$;

-- Makes a goal anew in all that may change. False where there is no such goal of this account.
create or replace function earnings.change_goal(
  p_account bigint, p_id uuid, p_name text, p_nanos bigint, p_model bigint, p_since timestamptz, p_due_on text
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  update earnings.goal g
  set name = p_name, nanos = p_nanos, model_id = p_model, since = p_since, due_on = p_due_on::date,
      updated_at = clock_timestamp()
  where g.id = p_id and g.account_id = p_account;
  return found;
end $$;

-- True where there was such a goal of this account.
create or replace function earnings.drop_goal(p_account bigint, p_id uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_teller_of(array[p_account]);
  delete from earnings.goal g where g.id = p_id and g.account_id = p_account;
  return found;
end $$;

-- What is forgotten of a person: words. Every sum stays. Behind the door metering.erase.
create or replace function earnings.erase_texts(p_bucket smallint, p_account bigint) returns void
language plpgsql as $$
begin
  delete from earnings.goal g where g.account_id = p_account;
  update earnings.adjustment a set reason = '' where a.bucket = p_bucket and a.account_id = p_account;
end $$;
