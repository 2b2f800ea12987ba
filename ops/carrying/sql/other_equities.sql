-- Live portfolios of which a staged snapshot of legacy and ours of the same day are more than a cent
-- apart, the furthest first.
SELECT format('%s on %s: %s, here %s', p.name, t.snapshot_date, shown.before, shown.now)
FROM pg_temp.copy_ranked AS s
JOIN portfolio_snapshots AS t
    ON t.portfolio_id = s.portfolio_id AND t.snapshot_date = s.snapshot_date
JOIN portfolios AS p ON p.id = s.portfolio_id AND p.deleted_at IS NULL AND p.is_active
CROSS JOIN LATERAL (
    SELECT coalesce(s.equity_balance, 0) AS before, coalesce(t.equity_balance, 0) AS now
) AS shown
WHERE s.copy_rank = 1 AND abs(shown.before - shown.now) > 0.01
ORDER BY abs(shown.before - shown.now) DESC, p.name
