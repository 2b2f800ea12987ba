-- End the clients whose transactions keep these tables from being locked against writes. A role is not
-- told what kind another role's session is; background workers then have no user either.
SELECT pg_terminate_backend(a.pid)
FROM pg_stat_activity AS a
WHERE a.pid <> pg_backend_pid()
    AND coalesce(a.backend_type = 'client backend', a.usesysid IS NOT NULL)
    AND EXISTS (
        SELECT FROM pg_locks AS l
        WHERE l.pid = a.pid AND l.granted AND l.relation = ANY(%(tables)s)
            AND l.database = a.datid AND a.datname = current_database()
            AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
    )
