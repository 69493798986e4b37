-- Doors of alerts: the outbox of mail, the platform's alone.

create or replace function alerts.send_mail(p_id uuid, p_template text, p_recipient text, p_vals jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  insert into alerts.mail (id, template, recipient, vals) values (p_id, p_template, p_recipient, p_vals);
end $$;

-- Takes the mail that is due the longest, for so many seconds: nobody else takes it meanwhile, anybody afterwards. What
-- another is taking now is passed over.
create or replace function alerts.take_mail(p_lease_seconds integer)
returns table (id uuid, template text, recipient text, vals jsonb, created_at timestamptz, tries smallint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  return query
  update alerts.mail m
  set due_at = clock_timestamp() + make_interval(secs => p_lease_seconds), tries = m.tries + 1
  where m.id = (
    select d.id from alerts.mail d where d.due_at <= clock_timestamp() order by d.due_at limit 1 for update skip locked
  )
  returning m.id, m.template, m.recipient, m.vals, m.created_at, m.tries;
end $$;

-- It was sent, by whomever: also where the lease was over by then.
create or replace function alerts.end_mail(p_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  update alerts.mail m
  set sent_at = clock_timestamp(), given_up_at = null, due_at = null, recipient = null, vals = null, trouble = null
  where m.id = p_id and m.sent_at is null;
end $$;

-- It was not sent at that try: due again after so many seconds, or given up (null). A later try has its own end.
create or replace function alerts.fail_mail(p_id uuid, p_try smallint, p_trouble text, p_wait_seconds integer)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  if p_wait_seconds is null then
    update alerts.mail m
    set given_up_at = clock_timestamp(), due_at = null, recipient = null, vals = null, trouble = p_trouble
    where m.id = p_id and m.tries = p_try and m.due_at is not null;
  else
    update alerts.mail m
    set due_at = clock_timestamp() + make_interval(secs => p_wait_seconds), trouble = p_trouble
    where m.id = p_id and m.tries = p_try and m.due_at is not null;
  end if;
end $$;

-- Takes back what waits to be sent to these addresses, in whatever case they were written, and to others about an
-- invitation that is gone; in those that stand, whoever invited and is no longer known is called by the organization's
-- name. To be asked after the person was taken out of access.
create or replace function alerts.forget_person(p_recipients text[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform access.require_platform();
  with invited as (
    select m.id, i.id is null as gone, i.invited_by is null as by_nobody
    from alerts.mail m
    left join access.invitation i
      on i.digest = sha256(convert_to(regexp_replace(m.vals ->> 'link', '^.*/', ''), 'UTF8'))
    where m.due_at is not null and m.template = 'invitation'
  ), renamed as (
    update alerts.mail m set vals = m.vals || jsonb_build_object('inviter', m.vals -> 'organization')
    from invited i where i.id = m.id and i.by_nobody and not i.gone
      and lower(m.recipient) <> all (select lower(r) from unnest(p_recipients) r)
  )
  update alerts.mail m
  set given_up_at = clock_timestamp(), due_at = null, recipient = null, vals = null, trouble = 'the person was erased'
  where m.due_at is not null
    and (lower(m.recipient) = any (select lower(r) from unnest(p_recipients) r)
         or m.id in (select i.id from invited i where i.gone));
end $$;

-- Deletes what was sent p_sent_days ago, and gives up what was written p_waiting_days ago and is still not sent: such
-- mail says nothing that still holds. Returns how many letters were touched.
create or replace function alerts.sweep_mail(p_sent_days integer, p_waiting_days integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_gone integer;
  v_given_up integer;
begin
  perform access.require_platform();
  delete from alerts.mail m where m.sent_at < clock_timestamp() - make_interval(days => p_sent_days);
  get diagnostics v_gone = row_count;
  update alerts.mail m
  set given_up_at = clock_timestamp(), due_at = null, recipient = null, vals = null,
      trouble = coalesce(m.trouble, 'nothing delivered it') || '; given up after ' || p_waiting_days || ' days'
  where m.due_at is not null and m.created_at < clock_timestamp() - make_interval(days => p_waiting_days);
  get diagnostics v_given_up = row_count;
  return v_gone + v_given_up;
end $$;
