-- send_mail : nothing
SELECT alerts.send_mail(%(id)s::uuid, %(template)s::text, %(recipient)s::text, %(vals)s::jsonb);

-- take_mail : Taken
-- What is due the longest, ours for the lease.
SELECT t.id, t.template, t.recipient, t.vals, t.created_at, t.tries::integer AS tries
FROM alerts.take_mail(%(lease_seconds)s::integer) AS t;

-- end_mail : nothing
SELECT alerts.end_mail(%(id)s::uuid);

-- fail_mail : nothing
SELECT alerts.fail_mail(%(id)s::uuid, %(tries)s::smallint, %(trouble)s::text, %(wait_seconds)s::integer);

-- forget_person : nothing
SELECT alerts.forget_person(%(recipients)s::text[]);

-- waiting_for : Waiting*
-- The letters that wait to be sent to these addresses, the oldest first.
SELECT m.template, m.recipient, m.created_at
FROM alerts.mail AS m
WHERE m.due_at IS NOT NULL
  AND lower(m.recipient) = any(SELECT lower(r.address) FROM unnest(%(recipients)s::text[]) AS r (address))
ORDER BY m.created_at, m.id;

-- sweep_mail : int
SELECT alerts.sweep_mail(%(sent_days)s::integer, %(waiting_days)s::integer) AS swept;

-- mail_state : MailState
SELECT count(*) FILTER (WHERE m.due_at IS NOT NULL) AS waiting,
       count(*) FILTER (WHERE m.due_at IS NOT NULL AND m.trouble IS NOT NULL) AS failing,
       count(*) FILTER (WHERE m.given_up_at IS NOT NULL) AS given_up
FROM alerts.mail AS m
WHERE m.due_at IS NOT NULL OR m.given_up_at IS NOT NULL;
