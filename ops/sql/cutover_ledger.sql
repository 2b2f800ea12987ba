-- Whether the backfill is complete: days that failed, and live portfolios that are behind.
SELECT
    count(*) FILTER (WHERE l.status = 'failed') AS failed,
    count(DISTINCT l.portfolio_id) FILTER (WHERE l.status = 'done') AS done,
    (SELECT count(*) FROM (
        SELECT p.id
        FROM portfolios AS p
        LEFT JOIN ops.backfill_ledger AS own ON own.portfolio_id = p.id AND own.status = 'done'
        WHERE p.deleted_at IS NULL AND p.is_active
        GROUP BY p.id
        HAVING max(own.calculation_date) IS DISTINCT FROM (
            SELECT max(calculation_date) FROM ops.backfill_ledger
        )
    ) AS lagging) AS behind,
    max(l.recorded_at) AS recorded_at
FROM ops.backfill_ledger AS l
