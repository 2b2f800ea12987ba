SELECT p.name, s.snapshot_date, s.equity_balance::float8
FROM portfolio_snapshots AS s JOIN portfolios AS p ON p.id = s.portfolio_id
WHERE s.snapshot_date BETWEEN %s AND %s
