SELECT
    count(*) FILTER (WHERE status = 'done') AS done,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    min(calculation_date) AS first,
    max(calculation_date) AS last,
    max(recorded_at) AS moment
FROM ops.backfill_ledger
