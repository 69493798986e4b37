-- Who may see which row. The service's roles have SELECT under these policies and EXECUTE on the functions, nothing
-- more. The functions run as th_owner, whom FORCE binds too: its own policy is `true`. A tenant sees the rows of the
-- accounts that its signed token names; 0 is the platform.

do $$
declare
  t record;
begin
  for t in
    select * from (values
      ('access.account', 'id = any ((select access.scope())::bigint[])'),
      ('access.identity', 'account_id = any ((select access.scope())::bigint[])'),
      ('access.member', 'organization_id = any ((select access.scope())::bigint[]) or user_id = any ((select access.scope())::bigint[])'),
      ('access.api_key', 'account_id = any ((select access.scope())::bigint[])'),
      ('access.credential', 'false'),
      ('access.session', 'false'),
      ('access.mail_token', 'false'),
      ('access.external_identity', 'account_id = any ((select access.scope())::bigint[])'),
      ('access.invitation', 'organization_id = any ((select access.scope())::bigint[])'),
      ('access.audit', 'false'),
      ('access.audit_private', 'false'),
      ('access.audit_block', 'false'),
      ('access.deployment', 'true'),
      ('access.rate_window', 'false'),
      ('ledger.asset', 'true'),
      ('ledger.account', 'owner_id = any ((select access.scope())::bigint[])'),
      ('ledger.entry', 'account_id = any ((select access.scope())::bigint[])'),
      ('ledger.transfer', 'owner_id = any ((select access.scope())::bigint[])'),
      ('ledger.hold', 'account_id = any ((select access.scope())::bigint[])'),
      ('wallets.lot', 'account_id = any ((select access.scope())::bigint[])'),
      ('wallets.enrolment', 'account_id = any ((select access.scope())::bigint[])'),
      ('market.model', '(select access.scope()) is not null'),
      ('market.pricing', '(select access.scope()) is not null'),
      ('market.character', '(select access.scope()) is not null'),
      ('market.rating', '(select access.scope()) is not null'),
      ('market.review', 'account_id = any ((select access.scope())::bigint[])'),
      ('market.ownership', 'account_id = any ((select access.scope())::bigint[])'),
      ('earnings.standing', 'false'),
      ('earnings.model_earner', 'earner_id = any ((select access.scope())::bigint[])'),
      ('metering.usage', 'account_id = any ((select access.scope())::bigint[])'),
      ('metering.reversal', 'account_id = any ((select access.scope())::bigint[])'),
      ('payouts.payout', 'account_id = any ((select access.scope())::bigint[])'),
      ('payouts.event', 'account_id = any ((select access.scope())::bigint[])'),
      ('payouts.method', 'account_id = any ((select access.scope())::bigint[])'),
      ('payouts.schedule', 'account_id = any ((select access.scope())::bigint[])'),
      ('payouts.batch', 'false'),
      ('payouts.batched', 'account_id = any ((select access.scope())::bigint[])'),
      ('alerts.mail', 'false'),
      ('insights.watermark', 'false'),
      ('insights.cell', 'owner_id = any ((select access.scope())::bigint[])'),
      ('insights.audience', 'false')
    ) policy (name, sees)
  loop
    execute format('drop policy if exists owner on %s', t.name);
    execute format('create policy owner on %s to th_owner using (true) with check (true)', t.name);
    execute format('drop policy if exists tenant on %s', t.name);
    execute format('create policy tenant on %s for select to th_app, th_worker using ((%s) or 0 = any ((select access.scope())::bigint[]))',
                   t.name, t.sees);
    execute format('revoke all on %s from public, th_app, th_worker', t.name);
    execute format('grant select on %s to th_app, th_worker', t.name);
  end loop;
end $$;

revoke all on access.secret from public, th_app, th_worker;

-- A door is SECURITY DEFINER. What is not, only the doors may execute. A function that an earlier version had under
-- another list of parameters would stay beside the new one as a door that nobody looks after: these files run in one
-- transaction, so what it did not write is old. Triggers' functions come with their tables.
do $$
declare
  s text;
  f regprocedure;
begin
  foreach s in array array[
    'access', 'ledger', 'wallets', 'market', 'earnings', 'payouts', 'metering', 'alerts', 'insights'
  ] loop
    continue when to_regnamespace(s) is null;
    for f in
      select p.oid from pg_proc p
      where p.pronamespace = s::regnamespace and p.prorettype <> 'trigger'::regtype
        and p.xmin::text::bigint <> pg_current_xact_id()::text::numeric % 4294967296
    loop
      execute format('drop function %s', f);
    end loop;
    execute format('revoke all on schema %I from public', s);
    execute format('grant usage on schema %I to th_app, th_worker', s);
    execute format('revoke all on all functions in schema %I from public, th_app, th_worker', s);
    for f in select p.oid from pg_proc p where p.pronamespace = s::regnamespace and p.prosecdef loop
      execute format('grant execute on function %s to th_app, th_worker', f);
    end loop;
  end loop;
end $$;
