-- Every live portfolio with its starting capital, the first day that is not done in the asked
-- range, and how far it has been carried already.
WITH asked AS (
    SELECT unnest(%(days)s::date[]) AS day
)
SELECT
    p.id,
    p.name,
    coalesce(s.equity, p.equity_balance, 0)::float8 AS starting_equity,
    min(asked.day) FILTER (WHERE l.status IS DISTINCT FROM 'done') AS first_not_done,
    count(*) FILTER (WHERE l.status = 'failed') AS failed_days,
    (
        SELECT max(carried.calculation_date)
        FROM ops.backfill_ledger AS carried
        WHERE carried.portfolio_id = p.id AND carried.status = 'done'
    ) AS carried_to
FROM portfolios AS p
CROSS JOIN asked
LEFT JOIN ops.starting_capital AS s ON s.portfolio_id = p.id
LEFT JOIN ops.backfill_ledger AS l ON l.portfolio_id = p.id AND l.calculation_date = asked.day
WHERE p.deleted_at IS NULL AND p.is_active
GROUP BY p.id, p.name, s.equity
ORDER BY p.name, p.id
