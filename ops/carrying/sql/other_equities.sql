-- Live portfolios whose newest staged snapshot of legacy is more than a cent apart from what we show
-- for that day, which is our newest one up to it; the furthest first.
SELECT format('%s on %s: %s, here %s', p.name, s.snapshot_date, shown.before, shown.now)
FROM pg_temp.copy_ranked AS s
JOIN portfolios AS p ON p.id = s.portfolio_id AND p.deleted_at IS NULL AND p.is_active
LEFT JOIN LATERAL (
    SELECT coalesce(own.equity_balance, 0) AS equity
    FROM portfolio_snapshots AS own
    WHERE own.portfolio_id = s.portfolio_id AND own.snapshot_date <= s.snapshot_date
    ORDER BY own.snapshot_date DESC
    LIMIT 1
) AS t ON true
CROSS JOIN LATERAL (
    SELECT coalesce(s.equity_balance, s.total_value, 0) AS before, coalesce(t.equity::text, 'none') AS now,
        abs(coalesce(s.equity_balance, s.total_value, 0) - t.equity) AS apart
) AS shown
WHERE s.copy_rank = 1 AND coalesce(shown.apart > 0.01, true)
ORDER BY shown.apart DESC, p.name
