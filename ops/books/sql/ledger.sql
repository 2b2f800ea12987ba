-- How far the backfill is: days done and failed, live portfolios that have days and those that are
-- behind, and when it last wrote.
SELECT
    count(*) FILTER (WHERE l.status = 'done') AS done,
    count(*) FILTER (WHERE l.status = 'failed') AS failed,
    count(DISTINCT l.portfolio_id) FILTER (WHERE l.status = 'done') AS portfolios,
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
    min(l.calculation_date) AS first,
    max(l.calculation_date) AS last,
    max(l.recorded_at) AS moment
FROM ops.backfill_ledger AS l
