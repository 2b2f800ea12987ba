-- Every live portfolio with how many positions it has, its starting capital, the first day that is not done in the asked
-- range, and how far it has been carried already. A day that all have done but that is not tracked
-- is not done either: a run ended before it could record the day.
WITH live AS (
    SELECT * FROM portfolios WHERE deleted_at IS NULL AND is_active
),
asked AS (
    SELECT
        day,
        t.run_date IS NULL AND (
            SELECT count(*)
            FROM ops.backfill_ledger AS d
            JOIN live ON live.id = d.portfolio_id
            WHERE d.calculation_date = day AND d.status = 'done'
        ) = (SELECT count(*) FROM live) AS unrecorded
    FROM unnest(%(days)s::date[]) AS day
    LEFT JOIN batch_run_tracking AS t ON t.run_date = day
)
SELECT
    p.id,
    p.name,
    (SELECT count(*) FROM positions AS h WHERE h.portfolio_id = p.id) AS positions,
    coalesce(s.equity, p.equity_balance, 0)::float8 AS starting_equity,
    min(asked.day) FILTER (
        WHERE l.status IS DISTINCT FROM 'done' OR asked.unrecorded
    ) AS first_not_done,
    count(*) FILTER (WHERE l.status = 'failed') AS failed_days,
    (
        SELECT max(carried.calculation_date)
        FROM ops.backfill_ledger AS carried
        WHERE carried.portfolio_id = p.id AND carried.status = 'done'
    ) AS carried_to
FROM live AS p
CROSS JOIN asked
LEFT JOIN ops.starting_capital AS s ON s.portfolio_id = p.id
LEFT JOIN ops.backfill_ledger AS l ON l.portfolio_id = p.id AND l.calculation_date = asked.day
GROUP BY p.id, p.name, p.equity_balance, s.equity
ORDER BY p.name, p.id
