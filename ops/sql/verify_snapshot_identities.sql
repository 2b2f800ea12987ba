-- Snapshots whose sums do not add up.
SELECT
    count(*),
    count(*) FILTER (WHERE gross_exposure <> long_value + abs(short_value)),
    count(*) FILTER (WHERE net_exposure <> long_value + short_value),
    count(*) FILTER (WHERE total_value IS DISTINCT FROM equity_balance),
    count(*) FILTER (WHERE num_positions <> num_long_positions + num_short_positions
        OR num_positions = 0 AND (gross_exposure, equity_balance) IS DISTINCT FROM (0, 0))
FROM portfolio_snapshots
