-- Copied live portfolios of which neither legacy nor the backfill has a snapshot, where others have some.
SELECT p.name, coalesce(p.equity_balance, 0)
FROM portfolios AS p
JOIN ops.copied_keys AS k ON k.table_name = 'portfolios' AND k.key = p.id
WHERE p.deleted_at IS NULL
    AND p.is_active
    AND EXISTS (SELECT FROM portfolio_snapshots)
    AND NOT EXISTS (SELECT FROM portfolio_snapshots AS s WHERE s.portfolio_id = p.id)
ORDER BY p.name, p.id
