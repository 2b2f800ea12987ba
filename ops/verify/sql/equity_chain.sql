-- Each computed snapshot with positions, against the one before it, which may be one of legacy's. Days without positions store zeros and
-- are stepped over, and so are legacy's unfinished ones. Equity and profit are rounded each by itself, so that they may differ by a cent.
WITH steps AS (
    SELECT
        p.name,
        s.snapshot_date,
        s.equity_balance,
        s.daily_pnl,
        lag(s.snapshot_date) OVER by_day AS earlier_date,
        lag(coalesce(s.equity_balance, s.total_value)) OVER by_day AS earlier,
        p.id
    FROM portfolio_snapshots AS s
    JOIN portfolios AS p ON p.id = s.portfolio_id
    WHERE p.deleted_at IS NULL AND p.is_active AND s.num_positions > 0
        AND s.is_complete
    WINDOW by_day AS (PARTITION BY s.portfolio_id ORDER BY s.snapshot_date)
),
checked AS (
    SELECT
        steps.*,
        steps.earlier + steps.daily_pnl + coalesce((
            SELECT sum(CASE f.change_type WHEN 'CONTRIBUTION' THEN f.amount ELSE -f.amount END)
            FROM equity_changes AS f
            WHERE f.portfolio_id = steps.id AND f.deleted_at IS NULL
                AND f.change_date > steps.earlier_date AND f.change_date <= steps.snapshot_date
        ), 0) AS expected
    FROM steps
    WHERE steps.earlier_date IS NOT NULL
        AND EXISTS (
            SELECT FROM ops.backfill_ledger AS l
            WHERE l.portfolio_id = steps.id AND l.calculation_date = steps.snapshot_date
        )
)
SELECT
    count(*),
    count(*) FILTER (WHERE coalesce(abs(equity_balance - expected) > 0.01, true)),
    (array_agg(
        format('%s %s: %s instead of %s', name, snapshot_date, equity_balance, expected)
        ORDER BY snapshot_date, name
    ) FILTER (WHERE coalesce(abs(equity_balance - expected) > 0.01, true)))[1]
FROM checked
