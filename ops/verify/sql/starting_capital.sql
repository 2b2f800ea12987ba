-- The first snapshot with positions of each live portfolio that has one, against the recorded
-- capital. Equity and profit are rounded each by itself, so that they may differ by a cent. Where it
-- was copied, the first computed one follows from it instead, which is a step of the equity chain.
WITH opening AS (
    SELECT
        p.name,
        s.snapshot_date,
        c.equity AS capital,
        s.equity_balance,
        c.equity + s.daily_pnl + coalesce((
            SELECT sum(CASE f.change_type WHEN 'CONTRIBUTION' THEN f.amount ELSE -f.amount END)
            FROM equity_changes AS f
            WHERE f.portfolio_id = p.id AND f.deleted_at IS NULL
                AND f.change_date BETWEEN s.first_date AND s.snapshot_date
        ), 0) AS expected
    FROM portfolios AS p
    JOIN (
        SELECT DISTINCT ON (portfolio_id) *
        FROM (
            SELECT
                portfolio_id,
                snapshot_date,
                equity_balance,
                daily_pnl,
                num_positions,
                min(snapshot_date) OVER (PARTITION BY portfolio_id) AS first_date
            FROM portfolio_snapshots
            WHERE is_complete
        ) AS known
        WHERE num_positions > 0
        ORDER BY portfolio_id, snapshot_date
    ) AS s ON s.portfolio_id = p.id
    JOIN ops.backfill_ledger AS l
        ON l.portfolio_id = p.id AND l.calculation_date = s.snapshot_date
    LEFT JOIN ops.starting_capital AS c ON c.portfolio_id = p.id
    WHERE p.deleted_at IS NULL AND p.is_active
)
SELECT
    count(*),
    count(*) FILTER (WHERE capital IS NULL),
    count(*) FILTER (WHERE capital IS NOT NULL AND coalesce(abs(equity_balance - expected) > 0.01, true)),
    (array_agg(
        format('%s %s: %s instead of %s', name, snapshot_date, equity_balance, expected)
        ORDER BY name
    ) FILTER (WHERE capital IS NOT NULL AND coalesce(abs(equity_balance - expected) > 0.01, true)))[1]
FROM opening
