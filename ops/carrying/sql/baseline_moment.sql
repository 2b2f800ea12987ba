-- When the swap that is in force, or under way, left the baseline. It is void once a rollback has
-- ended, or the swap was undone. By number, since a clock may be set back; one of an earlier release
-- has none.
SELECT
    m.recorded_at,
    m.seen
FROM ops.cutover_baseline_moment AS m
WHERE NOT EXISTS (
    SELECT FROM ops.cutovers AS c
    WHERE coalesce(c.id >= m.cutover, c.ended_at > m.recorded_at)
        AND (c.kind, c.state) IN (('rollback', 'done'), ('swap', 'undone'))
)
