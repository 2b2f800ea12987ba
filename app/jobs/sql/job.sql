-- Calculation jobs of a portfolio. A job is running only while its run holds the lock of the phases
-- (`sigmasight phase`): where the lock is free, the run ended without a word.
SELECT
    j.id,
    j.status,
    j.created_at,
    j.started_at,
    j.duration_seconds,
    extract(epoch FROM now() - j.started_at)::float8 AS running_seconds,
    j.error_message,
    u.email AS triggered_by,
    CASE WHEN j.status = 'running'
        THEN pg_try_advisory_xact_lock_shared(hashtextextended('sigmasight phase', 0))
        ELSE false END AS abandoned
FROM batch_jobs AS j
LEFT JOIN users AS u ON u.id = cast(j.job_metadata ->> 'user_id' AS uuid)
WHERE j.job_type = :job_type
    AND j.job_metadata ->> 'portfolio_id' = cast(:portfolio AS text)
    AND (j.id = cast(:job AS uuid)
        OR cast(:job AS uuid) IS NULL AND j.status IN ('pending', 'running'))
