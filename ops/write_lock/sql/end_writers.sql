-- End the sessions whose transactions keep these tables from being locked against writes.
SELECT pg_terminate_backend(l.pid)
FROM (
    SELECT DISTINCT pid FROM pg_locks
    WHERE granted AND pid IS NOT NULL AND relation = ANY(%(tables)s)
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND mode NOT IN ('AccessShareLock', 'RowShareLock')
) AS l
WHERE l.pid <> pg_backend_pid()
