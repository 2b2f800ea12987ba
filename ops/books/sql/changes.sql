-- When each act last changed what a verification looks at. The delta of a swap is none, nor is the
-- portfolio that it brought: the swap compares what it copied, and asks the new pair itself.
WITH acts AS (
    SELECT 'seeding' AS act, recorded_at AS moment FROM ops.starting_capital
    UNION ALL
    SELECT 'copy', copied_at FROM ops.copy_fingerprints
),

own AS (
    SELECT a.act, a.moment
    FROM acts AS a
    WHERE NOT EXISTS (
        SELECT FROM ops.cutovers AS c
        WHERE a.moment BETWEEN c.begun_at AND coalesce(c.ended_at, 'infinity')
    )
)

SELECT
    (SELECT max(moment) FROM own WHERE act = 'seeding') AS seeding,
    (SELECT max(moment) FROM own WHERE act = 'copy') AS copy,
    (SELECT max(recorded_at) FROM ops.backfill_ledger) AS backfill
