-- What each portfolio carries into its first day: the newest earlier snapshot with positions (a day
-- without any stores zeros), copied from legacy or computed, and the flows since, should days between
-- be missing; less those that one dated between two sessions has counted already. Legacy's unfinished
-- snapshots are none.
SELECT
    p.id,
    coalesce(s.equity_balance, s.total_value)::float8,
    s.cumulative_pnl::float8,
    s.cumulative_realized_pnl::float8,
    s.cumulative_capital_flow::float8,
    (
        SELECT coalesce(sum(
            CASE f.change_type WHEN 'CONTRIBUTION' THEN f.amount ELSE -f.amount END
            * CASE WHEN s.snapshot_date > p.after THEN -1 ELSE 1 END
        ), 0)::float8
        FROM equity_changes AS f
        WHERE f.portfolio_id = p.id
            AND f.deleted_at IS NULL
            AND f.change_date > least(s.snapshot_date, p.after)
            AND f.change_date <= greatest(s.snapshot_date, p.after)
    ) AS flows_since,
    CASE WHEN NOT EXISTS (
        SELECT FROM ops.backfill_ledger AS l
        WHERE l.portfolio_id = p.id AND l.calculation_date = s.snapshot_date
    ) THEN s.snapshot_date END AS copied_of
FROM unnest(%(portfolios)s::uuid[], %(after)s::date[], %(first)s::date[]) AS p (id, after, first)
JOIN LATERAL (
    SELECT *
    FROM portfolio_snapshots AS earlier
    WHERE earlier.portfolio_id = p.id
        AND earlier.snapshot_date < p.first
        AND earlier.num_positions > 0
        AND earlier.is_complete
    ORDER BY earlier.snapshot_date DESC
    LIMIT 1
) AS s ON true
