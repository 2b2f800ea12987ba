-- Computed snapshots whose sums do not add up. Each sum is rounded by itself: a cent of difference is none.
-- A position of no units is open, and neither long nor short.
SELECT
    count(*),
    count(*) FILTER (WHERE abs(gross_exposure - long_value - abs(short_value)) > 0.01),
    count(*) FILTER (WHERE abs(net_exposure - long_value - short_value) > 0.01),
    count(*) FILTER (WHERE total_value IS DISTINCT FROM equity_balance),
    count(*) FILTER (WHERE num_positions < num_long_positions + num_short_positions
        OR num_positions = 0 AND (gross_exposure, equity_balance) IS DISTINCT FROM (0, 0))
FROM portfolio_snapshots AS s
JOIN ops.backfill_ledger AS l
    ON l.portfolio_id = s.portfolio_id AND l.calculation_date = s.snapshot_date
