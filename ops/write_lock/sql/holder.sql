-- The oldest transaction that keeps one of these tables from being locked.
SELECT l.pid, coalesce(nullif(a.application_name, ''), a.backend_type, 'unknown'), c.relname
FROM pg_locks AS l
JOIN pg_class AS c ON c.oid = l.relation
LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.relation = ANY(%(tables)s)
    AND (%(readers)s OR l.mode NOT IN ('AccessShareLock', 'RowShareLock'))
ORDER BY a.xact_start NULLS FIRST, c.relname
LIMIT 1
