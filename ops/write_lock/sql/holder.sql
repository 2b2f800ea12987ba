-- The oldest transaction that keeps one of these tables from being locked; one that was prepared has
-- no process, and comes first.
SELECT
    l.pid,
    coalesce(nullif(a.application_name, ''), a.backend_type, (
        SELECT p.gid
        FROM pg_prepared_xacts AS p
        JOIN pg_locks AS own ON own.transactionid = p.transaction
        WHERE own.pid IS NULL AND own.virtualtransaction = l.virtualtransaction
    ), 'unknown'),
    c.relname
FROM pg_locks AS l
JOIN pg_class AS c ON c.oid = l.relation
LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.relation = ANY(%(tables)s)
    AND (%(readers)s OR l.mode NOT IN ('AccessShareLock', 'RowShareLock'))
    AND l.mode <> 'SIReadLock'
ORDER BY l.pid NULLS FIRST, a.xact_start NULLS FIRST, c.relname
LIMIT 1
