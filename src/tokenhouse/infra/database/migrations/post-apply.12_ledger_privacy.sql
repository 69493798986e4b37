-- What the ledger forgets of a person: words and names, never a sum. Behind the door metering.erase.

-- An app's idempotency keys and the answers kept under them may hold what the app wrote of the person. The key becomes
-- the entry's own id, the digest of the request goes, and of the answer the balance stays, which a view reads. Beside it
-- stands which transaction wrote the entry: the chain asks whether that was late, and this one takes its place.
-- p_label: the person's id before, p_opaque: from now on, where organizations' holds name the person as their user.
create or replace function ledger.erase_texts(p_bucket smallint, p_account bigint, p_label text, p_opaque text)
returns void
language plpgsql as $$
begin
  update ledger.entry e
  set key = case when e.key like ' %' then e.key else ' erased ' || e.id end, fingerprint = '',
      answer = json_strip_nulls(json_build_object(
        'balance', (e.answer ->> 'balance')::bigint,
        'transaction', coalesce((e.answer ->> 'transaction')::bigint, e.xmin::text::bigint)))
  where e.bucket = p_bucket and e.account_id = p_account;
  update ledger.hold h
  set details = h.details - 'metadata' - 'user_label' where h.bucket = p_bucket and h.account_id = p_account;
  update ledger.hold h
  set details = jsonb_set(h.details - 'metadata', '{user_label}', to_jsonb(p_opaque))
  where h.details ->> 'user_label' = p_label;
end $$;

-- Takes the reasons out of what was answered about these entries: reversals of charges that name the person as user.
create or replace function ledger.erase_reasons(p_entry uuid[]) returns void
language plpgsql as $$
begin
  update ledger.entry e
  set answer = (e.answer::jsonb || '{"reason": ""}')::json
  where e.id = any (p_entry) and e.answer ->> 'reason' is not null;
end $$;
