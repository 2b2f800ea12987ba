-- The first of the computed snapshots without positions, if any, that end just before each portfolio's
-- first day: they store zeros, so what was carried over them must be computed again.
SELECT asked.portfolio_id, min(s.snapshot_date)
FROM unnest(%(portfolios)s::uuid[], %(first)s::date[]) AS asked (portfolio_id, first)
JOIN ops.backfill_ledger AS l
    ON l.portfolio_id = asked.portfolio_id AND l.calculation_date < asked.first
JOIN portfolio_snapshots AS s
    ON s.portfolio_id = asked.portfolio_id
    AND s.snapshot_date = l.calculation_date
    AND s.snapshot_date > coalesce(
        (
            SELECT max(o.snapshot_date)
            FROM portfolio_snapshots AS o
            WHERE o.portfolio_id = asked.portfolio_id
                AND o.snapshot_date < asked.first
                AND o.num_positions > 0
        ),
        '-infinity'
    )
GROUP BY asked.portfolio_id
