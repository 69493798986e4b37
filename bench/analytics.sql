-- A year: uses of models by the hour of the day, a few models and a few payers having most of them. The first creator
-- owns a fifth of the models, the most used ones; a hundred others own the rest. One use in thirty was reported late.

update market.ownership o
set account_id = case when m.id <= %(models)s / 5 then 1 else 2 + m.id %% 100 end
from market.model m where m.id = o.model_id;
update market.model m set category = (array['Anime', 'Realistic', 'Fantasy', 'Game'])[1 + m.id %% 4];

create temporary table use on commit drop as
select g.i, (lpad(to_hex((extract(epoch from g.at) * 1000)::bigint), 12, '0') || '7000a000' || lpad(to_hex(g.i), 12, '0'))::uuid as id,
       p.bucket, p.owner_id, p.asset_id, p.id as account, m.id as model_id, o.account_id as earner,
       (1 + g.i %% 20)::bigint as credits, (1 + g.i %% 20)::bigint * %(nanos)s as nanos, g.at,
       (array['chat', 'image_generation', 'other'])[1 + g.i %% 3] as usage_type,
       (array['chat', 'generate_lead', 'generate_goal', 'forecast', null])[1 + g.i %% 5] as operation,
       case when g.i %% 4 = 0 then 'user-' || g.i / 4 %% 50 end as user_label
from (
  select i, now() - interval '365 days' + i * (interval '365 days' / %(uses)s)
              - case when i %% 30 = 0 then interval '40 hours' else interval '0' end as at,
         (hashint8(i)::bigint + 2147483648) / 4294967296.0 as one, (hashint8(-i)::bigint + 2147483648) / 4294967296.0 as two
  from generate_series(1, %(uses)s::bigint) i
) g
join ledger.account p
  on p.owner_id = 2 * %(models)s + 1 + floor((%(wallets)s - 2 * %(models)s) * g.one * g.one * g.one)::bigint and p.role = 'wallet'
join market.model m on m.id = 1 + floor(%(models)s * g.two * g.two * g.two)::bigint
join market.ownership o on o.model_id = m.id;
analyze use;

insert into ledger.account (bucket, owner_id, asset_id, role, balance)
select u.bucket, u.earner, 0, 'earnings', sum(u.nanos) from use u group by u.bucket, u.earner;

insert into ledger.entry (bucket, account_id, key, id, kind, fingerprint, recorded_at)
select u.bucket, u.owner_id, md5(u.i::text), u.id, 'charge', '\x00', u.at from use u order by u.i;

insert into ledger.transfer (bucket, entry_id, leg, kind, asset_id, debit_id, credit_id, amount, owner_id, lot_id,
                             recorded_at)
select u.bucket, u.id, leg.n, leg.kind, leg.asset, leg.debit, leg.credit, leg.amount, leg.owner, leg.lot, u.at
from use u
join ledger.account e on e.bucket = u.bucket and e.owner_id = u.earner and e.role = 'earnings'
cross join lateral (values
  (0, 'charge', u.asset_id, u.account, -(16 * u.asset_id + 2)::bigint, u.credits, u.owner_id, 2 * u.owner_id + 1),
  (1, 'earning', 0::smallint, -4::bigint, e.id, u.nanos, u.earner, null)
) leg (n, kind, asset, debit, credit, amount, owner, lot)
order by u.i;

insert into metering.usage (bucket, id, account_id, asset_id, kind, counted, usage_type, amount, credits, balance_after,
                            nanos, operation, model_id, earners, user_label, cost_nanos, occurred_at, recorded_at)
select u.bucket, u.id, u.owner_id, u.asset_id, 'charge', true, u.usage_type, u.credits, u.credits,
       %(allowance)s::bigint + %(top_up)s - sum(u.credits) over (partition by u.owner_id order by u.i),
       u.nanos, u.operation, u.model_id, array[u.earner], u.user_label, u.nanos / 2, u.at, u.at
from use u
order by u.i;

update ledger.account a
set balance = a.balance - s.sum, spent = s.sum, last_spent_at = s.last
from (select u.owner_id, sum(u.credits) as sum, max(u.at) as last from use u group by u.owner_id) s
where a.owner_id = s.owner_id and a.role = 'wallet';

update wallets.lot l
set remaining = l.remaining - s.sum
from (select u.owner_id, sum(u.credits) as sum from use u group by u.owner_id) s
where l.account_id = s.owner_id and l.source = 'top_up';

insert into earnings.standing (bucket, model_id, uses, credits, nanos, last_used_at)
select u.bucket, u.model_id, count(*), sum(u.credits), sum(u.nanos), max(u.at) from use u group by u.bucket, u.model_id;

insert into earnings.model_earner (bucket, model_id, earner_id, uses, credits, nanos, last_used_at, created_at, updated_at)
select u.bucket, u.model_id, u.earner, count(*), sum(u.credits), sum(u.nanos), max(u.at), min(u.at), max(u.at)
from use u group by u.bucket, u.model_id, u.earner;
