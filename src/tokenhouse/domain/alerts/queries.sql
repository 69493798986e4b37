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

-- forget_recipient : nothing
SELECT alerts.forget_recipient(%(recipients)s::text[]);

-- mail_state : MailState
SELECT count(*) FILTER (WHERE m.due_at IS NOT NULL) AS waiting,
       count(*) FILTER (WHERE m.due_at IS NOT NULL AND m.trouble IS NOT NULL) AS failing,
       count(*) FILTER (WHERE m.given_up_at IS NOT NULL) AS given_up
FROM alerts.mail AS m
WHERE m.due_at IS NOT NULL OR m.given_up_at IS NOT NULL;
