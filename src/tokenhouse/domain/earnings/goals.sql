-- add_goal : bool
SELECT earnings.add_goal(
  %(account_id)s::bigint, %(id)s::uuid, %(name)s::text, %(nanos)s::bigint, %(model_id)s::bigint, %(since)s::timestamptz,
  %(due_on)s::text, %(most)s::bigint) AS added;

-- change_goal : bool
SELECT earnings.change_goal(
  %(account_id)s::bigint, %(id)s::uuid, %(name)s::text, %(nanos)s::bigint, %(model_id)s::bigint, %(since)s::timestamptz,
  %(due_on)s::text) AS changed;

-- drop_goal : bool
SELECT earnings.drop_goal(%(account_id)s::bigint, %(id)s::uuid) AS dropped;

-- goals_of : Goal*
-- An account's goals, newest first.
SELECT g.id, g.account_id, g.name, g.nanos, m.external_id AS model_id, g.model_id AS model_number, g.since, g.due_on,
       g.created_at, g.updated_at
FROM earnings.goal AS g
LEFT JOIN market.model AS m ON m.id = g.model_id
WHERE g.account_id = %(account_id)s::bigint
ORDER BY g.id DESC;

-- goal : Goal
-- A goal, if this transaction may see it.
SELECT g.id, g.account_id, g.name, g.nanos, m.external_id AS model_id, g.model_id AS model_number, g.since, g.due_on,
       g.created_at, g.updated_at
FROM earnings.goal AS g
LEFT JOIN market.model AS m ON m.id = g.model_id
WHERE g.id = %(id)s::uuid;
