-- Doors of batches for a bank. A payout's own steps are posted by its own doors, in the same transaction.

-- Lets one batch be made at a time: what one takes, the next one sees.
create or replace function payouts.lock_batches() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  perform pg_advisory_xact_lock(hashtextextended('payouts.batch', 0));
end $$;

-- Keeps a batch of these payouts, which are locked and processing. Raises TH409 where one is not, or is in another batch.
create or replace function payouts.keep_batch(
  p_id uuid, p_at timestamptz, p_key text, p_fingerprint text, p_format text, p_currency text, p_rate bigint,
  p_execution_date date, p_by text, p_skipped jsonb, p_sealed bytea, p_buckets smallint[], p_payouts uuid[],
  p_cents bigint[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_count bigint;
begin
  perform access.require_platform();
  insert into payouts.batch (id, key, fingerprint, format, currency, rate, execution_date, created_by, created_at, skipped,
                             sealed)
  values (p_id, p_key, p_fingerprint, p_format, p_currency, p_rate, p_execution_date, p_by, p_at, p_skipped, p_sealed);
  insert into payouts.batched (bucket, payout_id, account_id, batch_id, cents)
  select p.bucket, p.id, p.account_id, p_id, n.cents
  from unnest(p_buckets, p_payouts, p_cents) n (bucket, id, cents)
  join payouts.payout p on p.bucket = n.bucket and p.id = n.id and p.state = 'processing'
  on conflict do nothing;
  get diagnostics v_count = row_count;
  if v_count <> coalesce(array_length(p_payouts, 1), 0) then
    raise exception 'a payout is not to be paid by this batch' using errcode = 'TH409';
  end if;
end $$;

-- Puts a file that was sealed anew in the place of the old one; false where that is no longer there.
create or replace function payouts.reseal_batch(p_id uuid, p_old bytea, p_new bytea) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update payouts.batch b set sealed = p_new where b.id = p_id and b.sealed = p_old;
  return found;
end $$;
