-- What is to be told to people: the outbox of mail. A row is written in the transaction that has something to say, and
-- delivered after it by a job.

create schema alerts;

-- due_at: when it may be taken next; null once it is sent or given up. Taking it moves due_at to the end of the lease, so
-- that what is killed on the way is taken again. The address and the values are personal: erased with the end.
create table alerts.mail (
  id          uuid primary key,
  template    text not null,
  recipient   text,
  vals        jsonb,
  created_at  timestamptz not null default clock_timestamp(),
  due_at      timestamptz default clock_timestamp(),
  tries       smallint not null default 0,
  trouble     text,
  sent_at     timestamptz,
  given_up_at timestamptz,
  check ((due_at is null) = (sent_at is not null or given_up_at is not null)),
  check ((due_at is null) = (recipient is null) and (due_at is null) = (vals is null))
);
create index mail_due on alerts.mail (due_at) where due_at is not null;
create index mail_given_up on alerts.mail (given_up_at) where given_up_at is not null;

-- Nobody sees a row without a policy (post-apply.90_guard.sql has them); the owner is bound as well.
alter table alerts.mail enable row level security;
alter table alerts.mail force row level security;
