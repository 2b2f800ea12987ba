-- When each act last changed what a verification looks at. The delta of a swap is none: the swap
-- compares what it copied, and asks the new pair itself.
SELECT
    (SELECT max(recorded_at) FROM ops.starting_capital) AS seeding,
    (
        SELECT max(f.copied_at)
        FROM ops.copy_fingerprints AS f
        WHERE NOT EXISTS (
            SELECT FROM ops.cutovers AS c
            WHERE f.copied_at BETWEEN c.begun_at AND coalesce(c.ended_at, 'infinity')
        )
    ) AS copy,
    (SELECT max(recorded_at) FROM ops.backfill_ledger) AS backfill
