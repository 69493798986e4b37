-- The tables that apps written for the sources know, as views with their names and columns: read only, for queries and
-- for those who move over. Ids are the app's own, dollars are numeric, times of use are when it happened. A view shows
-- what its reader may see: row-level security holds through it (security_invoker); of the uses that pay an earner,
-- metering.uses_earned() tells without telling the payer. The platform's token sees everything.
-- A column may be added at a view's end; whoever changes or removes one drops the view in a migration first.

create or replace view public.models with (security_invoker = true) as
select m.external_id as id, m.name, m.category, m.description, m.features, (p.pricing ->> 'call')::numeric as token_cost,
       m.price_credits as price, m.premium as is_premium, m.active as is_active, m.monetized as monetization_enabled,
       (select c.external_id from market.character c where c.model_id = m.id and c.archived_at is null order by c.id limit 1)
         as character_id,
       i.external_id as creator_id, p.pricing, m.ownership, m.upstream_model, m.provider, m.archived_at, m.created_at,
       m.updated_at, m.image_url as image
from market.model m
join market.pricing p on p.model_id = m.id and p.version = m.pricing_version
left join access.identity i on i.account_id = m.creator_id;

create or replace view public.characters with (security_invoker = true) as
select c.external_id as id, c.name, c.image_url as image, m.external_id as model_id, c.created_at,
       c.archived_at
from market.character c
join market.model m on m.id = c.model_id;

-- What is right at every commit, one row for a model and each who earns from it.
create or replace view public.model_creator_earnings with (security_invoker = true) as
select md5(e.model_id || '.' || e.earner_id)::uuid as id, m.external_id as model_id, i.external_id as creator_id,
       sum(e.uses)::bigint as total_usage_count, sum(e.credits)::bigint as total_tokens_consumed,
       sum(e.nanos) * 0.000000001 as total_earnings, max(e.last_used_at) as last_usage_at,
       min(e.created_at) as created_at, max(e.updated_at) as updated_at
from earnings.model_earner e
join market.model m on m.id = e.model_id
left join access.identity i on i.account_id = e.earner_id
group by e.model_id, e.earner_id, m.external_id, i.external_id;

-- The same by its other name.
create or replace view public.model_earnings with (security_invoker = true) as
select e.id, e.creator_id as user_id, e.model_id, e.total_usage_count as usage_count,
       e.total_tokens_consumed as tokens_consumed, e.total_earnings, e.last_usage_at as last_used_at, e.created_at,
       e.updated_at
from public.model_creator_earnings e;

create or replace view public.user_models with (security_invoker = true) as
select md5('ownership.' || o.id)::uuid as id, i.external_id as user_id, m.external_id as model_id,
       o.bought_at as purchased_at, o.price_credits as price_paid, coalesce(e.uses, 0) as usage_count,
       coalesce(e.nanos, 0) * 0.000000001 as total_earnings, e.last_used_at
from market.ownership o
join market.model m on m.id = o.model_id
left join access.identity i on i.account_id = o.account_id
left join lateral (
  select sum(x.uses)::bigint as uses, sum(x.nanos) as nanos, max(x.last_used_at) as last_used_at
  from earnings.model_earner x where x.earner_id = o.account_id and x.model_id = o.model_id
) e on true
where o.ended_at is null;

-- Others' uses of owned models, what is left of them after reversals: those that the reader paid for, and those that
-- count for the reader.
create or replace view public.model_usage_logs with (security_invoker = true) as
select u.id, coalesce(case when a.kind = 'organization' then u.user_label end, i.external_id) as user_id,
       m.external_id as model_id, u.usage_type, u.credits - coalesce(r.credits, 0) as tokens_consumed,
       (u.nanos - coalesce(r.nanos, 0)) * 0.000000001 as earnings_generated, coalesce(u.metadata, '{}') as metadata,
       u.occurred_at as created_at
from metering.usage u
join market.model m on m.id = u.model_id
left join access.account a on a.id = u.account_id
left join access.identity i on i.account_id = u.account_id
cross join lateral (
  select sum(x.amount)::bigint as credits, sum(x.nanos)::bigint as nanos, bool_or(x.whole) as whole
  from metering.reversal x where x.bucket = u.bucket and x.usage_id = u.id
) r
where u.counted and r.whole is not true
union all
select e.id, e.user_id, e.model_id, e.usage_type, e.credits, e.nanos * 0.000000001, '{}', e.occurred_at
from metering.uses_earned() e;

-- The same by model and day (UTC), but not what the reader only paid for.
create or replace view public.model_analytics with (security_invoker = true) as
select md5(u.model_id || '.' || u.date)::uuid as id, u.model_id, u.date, count(*) as usage_count,
       sum(u.tokens)::bigint as tokens_consumed, sum(u.dollars) as earnings_generated,
       count(distinct u.user_id) as unique_users, min(u.created_at) as created_at, max(u.created_at) as updated_at
from (
  select l.model_id, (l.created_at at time zone 'UTC')::date as date, l.tokens_consumed as tokens,
         l.earnings_generated as dollars, l.user_id, l.created_at
  from public.model_usage_logs l
  where 0 = any ((select access.scope())::bigint[])
  union all
  select e.model_id, (e.occurred_at at time zone 'UTC')::date, e.credits, e.nanos * 0.000000001, e.user_id, e.occurred_at
  from metering.uses_earned() e
) u
group by u.model_id, u.date;

-- Money sent to creators. What is on its way counts as pending.
create or replace view public.earnings_transactions with (security_invoker = true) as
select p.id, i.external_id as creator_id, null::text as model_id, 'payout' as transaction_type,
       p.amount * 0.000000001 as amount,
       case when p.state in ('processing', 'unknown') then 'pending' else p.state::text end as status,
       coalesce(p.reason, 'Payout by ' || p.method) as description,
       jsonb_strip_nulls(jsonb_build_object('method', p.method, 'reference', p.reference)) as metadata,
       p.ended_at as processed_at, p.requested_at as created_at,
       coalesce(p.ended_at, p.looked_at, p.requested_at) as updated_at
from payouts.payout p
left join access.identity i on i.account_id = p.account_id;

-- Every movement of a balance: amount is below zero where credits left it, so that amounts sum to the balance.
create or replace view public.token_transactions with (security_invoker = true) as
select u.id::text as id, i.external_id as user_id, 'usage' as type, -u.amount as amount, u.balance_after,
       s.code as token_type, coalesce(u.operation, u.usage_type) as description, coalesce(u.metadata, '{}') as metadata,
       u.recorded_at as created_at
from metering.usage u
join ledger.asset s on s.id = u.asset_id
left join access.identity i on i.account_id = u.account_id
where u.kind <> 'report'
union all
select e.id || ':' || t.leg, i.external_id,
       case when t.kind = 'reversal' or l.source = 'refund' then 'refund' when t.kind = 'lapse' then 'expiry'
            else t.kind end,
       t.amount, coalesce((e.answer ->> 'balance')::bigint, b.balance), s.code, coalesce(l.note, l.source, t.kind), '{}',
       e.recorded_at
from ledger.entry e
cross join lateral (
  select x.asset_id, x.kind, min(x.leg) as leg, max(x.lot_id) as lot_id,
         sum(case when x.credit_id > 0 then x.amount else -x.amount end)::bigint as amount
  from ledger.transfer x
  where x.bucket = e.bucket and x.entry_id = e.id and x.asset_id <> 0
  group by x.asset_id, x.kind
) t
join ledger.asset s on s.id = t.asset_id
left join access.identity i on i.account_id = e.account_id
left join wallets.lot l
  on t.kind = 'grant' and l.bucket = e.bucket and l.account_id = e.account_id and l.asset_id = t.asset_id and l.id = t.lot_id
left join lateral (
  -- A renewal keeps no answer: its balance is the sum of all that was moved until then.
  select sum(case when y.credit_id > 0 then y.amount else -y.amount end)::bigint as balance
  from ledger.entry x
  join ledger.transfer y on y.bucket = x.bucket and y.entry_id = x.id and y.asset_id = t.asset_id
  where e.answer ->> 'balance' is null and x.bucket = e.bucket and x.account_id = e.account_id
    and x.recorded_at <= e.recorded_at
) b on true
where e.kind not in ('charge', 'capture', 'hold', 'void', 'report');

-- Every charge, by the user and what it was for.
create or replace view public.token_usage with (security_invoker = true) as
select u.id, coalesce(case when a.kind = 'organization' then u.user_label end, i.external_id) as user_id,
       u.amount as tokens_used, coalesce(u.upstream_model, m.upstream_model, m.external_id) as model_used,
       coalesce(u.operation, u.usage_type) as operation_type, s.code as token_type, u.occurred_at as created_at
from metering.usage u
join ledger.asset s on s.id = u.asset_id
left join market.model m on m.id = u.model_id
left join access.account a on a.id = u.account_id
left join access.identity i on i.account_id = u.account_id
where u.kind <> 'report';

-- Users on their plans: of credits of type general, what was used and what there was to use in this period.
create or replace view public.usage_limits with (security_invoker = true) as
select i.external_id as user_id, greatest(coalesce(w.spent - w.spent_mark, 0), 0) as tokens_used,
       coalesce(w.balance + greatest(w.spent - w.spent_mark, 0), 0) as tokens_limit, e.plan_id as plan_type,
       e.period_started_at as period_start, e.renews_at as period_end
from wallets.enrolment e
join access.account a on a.id = e.account_id and a.kind = 'user'
left join access.identity i on i.account_id = e.account_id
left join ledger.asset s on s.code = 'general'
left join ledger.account w
  on w.bucket = e.bucket and w.owner_id = e.account_id and w.asset_id = s.id and w.role = 'wallet';

-- Organizations and what they hold of every credit type on offer, those of which they hold nothing included.
create or replace view public.ai_tokens with (security_invoker = true) as
select i.external_id as organization_id, t.code as token_type, coalesce(w.balance, 0) as balance,
       coalesce(w.balance + greatest(w.spent - w.spent_mark, 0), 0) as total_allocated,
       greatest(coalesce(w.spent - w.spent_mark, 0), 0) as total_used, e.renews_at as refresh_date,
       w.last_spent_at as last_used_at, coalesce(w.created_at, a.created_at) as created_at,
       greatest(w.created_at, w.last_spent_at, e.changed_at, a.created_at) as updated_at
from access.account a
cross join (
  select distinct on (c.code) c.code, c.asset_id, c.retired from catalog.credit_type c order by c.code, c.version desc
) t
left join access.identity i on i.account_id = a.id
left join wallets.enrolment e on e.bucket = a.bucket and e.account_id = a.id
left join ledger.account w
  on w.bucket = a.bucket and w.owner_id = a.id and w.asset_id = t.asset_id and w.role = 'wallet'
where a.kind = 'organization' and (not t.retired or w.balance > 0);

-- Every charge to an organization.
create or replace view public.ai_token_usage_log with (security_invoker = true) as
select u.id, i.external_id as organization_id, u.user_label as user_id, s.code as token_type,
       coalesce(u.operation, u.usage_type) as feature_used, u.amount as tokens_deducted,
       u.balance_after as remaining_balance, coalesce(u.metadata, '{}') as metadata, u.occurred_at as created_at
from metering.usage u
join access.account a on a.id = u.account_id and a.kind = 'organization'
join ledger.asset s on s.id = u.asset_id
left join access.identity i on i.account_id = u.account_id
where u.kind <> 'report';

grant select on public.models, public.characters, public.model_creator_earnings, public.model_earnings,
  public.user_models, public.model_usage_logs, public.model_analytics, public.earnings_transactions,
  public.token_transactions, public.token_usage, public.usage_limits, public.ai_tokens, public.ai_token_usage_log
to th_app, th_worker;
