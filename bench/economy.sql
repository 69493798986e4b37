-- Accounts, wallets with two grants each, and models with owners. As the service would have written it: what `verify`
-- derives again is all there. Accounts 1 … models own a model each, the next as many created one each.

insert into access.account (id, bucket, kind) overriding system value
select i, i %% %(buckets)s, case when i %% 10 = 0 then 'organization' else 'user' end
from generate_series(1, %(wallets)s) i;
select setval(pg_get_serial_sequence('access.account', 'id'), %(wallets)s);

insert into access.identity (account_id, external_id, name) select i, 'u' || i, 'Account ' || i
from generate_series(1, %(wallets)s) i;

insert into ledger.account (bucket, owner_id, asset_id, role, balance, due_at)
select a.bucket, a.id, c.asset_id, 'wallet', %(allowance)s::bigint + %(top_up)s, now() + interval '30 days'
from access.account a cross join catalog.credit_type c
where c.code = 'general'
order by a.id;

insert into wallets.enrolment (bucket, account_id, plan_id, anchor, period_started_at, renews_at, changed_at)
select a.bucket, a.id, case a.kind when 'user' then 'free' else 'starter' end, now(), now(), now() + interval '30 days', now()
from access.account a
order by a.id;

-- Each grant with the entry and the transfer that issued it. The allowance expires, so it burns first and runs out.
create temporary table issued on commit drop as
select a.bucket, a.owner_id, a.asset_id, a.id as account, g.*, 2 * a.owner_id + g.nth as lot,
       (lpad(to_hex((extract(epoch from now()) * 1000)::bigint), 12, '0') || '70008000'
        || lpad(to_hex(2 * a.owner_id + g.nth), 12, '0'))::uuid as entry
from ledger.account a
cross join (values (0, 'allowance', 'enrol', 0, %(allowance)s::bigint, now() + interval '30 days', now()),
                   (1, 'top_up', 'grant', 100, %(top_up)s::bigint, null, null))
  g (nth, source, kind, priority, amount, expires_at, period_started_at)
where a.role = 'wallet';

insert into ledger.entry (bucket, account_id, key, id, kind, fingerprint, answer, recorded_at)
select i.bucket, i.owner_id, ' seed ' || i.kind, i.entry, i.kind, '\x00', '{}', now() from issued i order by i.lot;

insert into ledger.transfer (bucket, entry_id, leg, kind, asset_id, debit_id, credit_id, amount, owner_id, lot_id,
                             recorded_at)
select i.bucket, i.entry, 0, case i.nth when 0 then 'allowance' else 'grant' end, i.asset_id, -(16 * i.asset_id + 1),
       i.account, i.amount, i.owner_id, i.lot, now()
from issued i order by i.lot;

insert into wallets.lot (bucket, account_id, asset_id, id, source, amount, remaining, priority, expires_at,
                         period_started_at, entry_id, created_at)
select i.bucket, i.owner_id, i.asset_id, i.lot, i.source, i.amount, i.amount, i.priority, i.expires_at,
       i.period_started_at, i.entry, now()
from issued i order by i.lot;
select setval('wallets.lot_id', 2 * %(wallets)s + 2);

-- Every fourth model leaves its creator a tenth; every fifth is under the policy with tiers, the next to it as well.
insert into market.model (external_id, name, category, price_credits, premium, active, monetized, creator_id, ownership,
                          creator_share_bps, pricing_version, earnings_policy)
select 'm' || i, 'Model ' || i, 'bench', 0, true, true, true, case when i %% 4 = 0 then %(models)s + i end, 'exclusive',
       case when i %% 4 = 0 then 1000 else 0 end, 1, case when i %% 5 in (0, 1) and i > 1 then 'dynamic' end
from generate_series(1, %(models)s) i;

insert into market.pricing (model_id, version, pricing) select m.id, 1, null from market.model m;

insert into market.ownership (model_id, account_id, exclusive, price_credits, entry_id)
select m.id, substr(m.external_id, 2)::bigint, true, 0, null from market.model m;
