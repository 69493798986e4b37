-- roll : int
-- Adds to the cells what was recorded since the last time.
SELECT insights.roll(%(anew)s::boolean) AS count;

-- read : Found*
-- The figures of a cube.
SELECT r.point, r.owner_id, r.model_id, r.asset_id, r.operation, r.usage_type, r.user_label, r.uses, r.credits, r.counted,
       r.counted_credits, r.nanos, r.cost_nanos, r.allowance, r.top_up
FROM insights.read(
  %(cube)s::text, %(owner_id)s::bigint, %(model_id)s::bigint, %(bounds)s::timestamptz[], %(grains)s::text[],
  %(points)s::integer[]
) AS r
ORDER BY r.point, r.owner_id, r.model_id, r.asset_id, r.operation, r.usage_type, r.user_label;

-- mark : Mark
-- How far the records are in the cells.
SELECT w.upto, w.cluster = (SELECT c.system_identifier FROM pg_control_system() AS c)::text AS current, w.rolled_at,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint - w.upto AS waiting
FROM insights.watermark AS w;

-- forget : nothing
-- Writes the id that an erased person has from now on where the person's stood.
SELECT insights.forget(%(account_id)s::bigint, %(label)s::text, %(opaque)s::text);
