-- Who is connected to this database but this session. A role without the rights of pg_monitor is
-- not told what kind another role's session is; background workers then have no user either.
SELECT a.pid,
    -- Those that only look at counters have nothing to be counted, and may wait for each other.
    (a.usename = current_user OR a.application_name LIKE 'sigmasight%%')
        AND a.application_name <> 'sigmasight counters' AS seems_ours
FROM pg_stat_activity AS a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND (
        a.backend_type IN ('client backend', 'walsender')
        OR a.backend_type IS NULL AND a.usesysid IS NOT NULL
    )
    AND a.pid <> ALL (%(before)s::integer[])
ORDER BY a.pid
