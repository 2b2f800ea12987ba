-- One tracking row per day on which every live portfolio is done. Phase numbers as the backend
-- reads them: 1 market data, 2 fundamentals (never part of a historical run), 3 P&L and analytics.
INSERT INTO batch_run_tracking (
    id, run_date, phase_1_status, phase_2_status, phase_3_status,
    portfolios_processed, symbols_fetched, data_coverage_pct, completed_at
)
SELECT
    gen_random_uuid(),
    day,
    'success',
    'success',
    'success',
    done,
    priced,
    round(100.0 * priced / nullif(wanted, 0), 2),
    now()
FROM (
    SELECT
        l.calculation_date AS day,
        count(*) AS done,
        (
            SELECT count(*)
            FROM market_data_cache AS m
            WHERE m.date = l.calculation_date AND m.close > 0 AND m.symbol = ANY(%(symbols)s)
        ) AS priced,
        cardinality(%(symbols)s::text[]) AS wanted
    FROM ops.backfill_ledger AS l
    JOIN portfolios AS p ON p.id = l.portfolio_id AND p.deleted_at IS NULL AND p.is_active
    WHERE l.calculation_date = ANY(%(days)s) AND l.status = 'done'
    GROUP BY l.calculation_date
    HAVING count(*) = (SELECT count(*) FROM portfolios WHERE deleted_at IS NULL AND is_active)
) AS complete
