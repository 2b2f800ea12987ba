-- The newest day of the batch: whether it failed, and how many live portfolios have its snapshot.
SELECT
    newest.run_date,
    newest.error_message IS NOT NULL
        OR 'failed' IN (newest.phase_1_status, newest.phase_2_status, newest.phase_3_status),
    count(p.id),
    count(s.id)
FROM (SELECT * FROM batch_run_tracking ORDER BY run_date DESC LIMIT 1) AS newest
LEFT JOIN portfolios AS p ON p.deleted_at IS NULL AND p.is_active
LEFT JOIN portfolio_snapshots AS s
    ON s.portfolio_id = p.id AND s.snapshot_date = newest.run_date
GROUP BY 1, 2
