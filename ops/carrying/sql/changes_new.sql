-- Of a table's rows that may be new, those with another digest than the baseline's.
INSERT INTO cutover_changes (table_name, key, before, after)
SELECT
    {table},
    r.key,
    b.digest,
    r.digest
FROM ({rows}) AS r
LEFT JOIN ops.cutover_baseline AS b ON b.table_name = {table} AND b.key = r.key
-- A digest of an earlier version is a hash of the content alone.
WHERE left(b.digest, 64) IS DISTINCT FROM left(r.digest, 64)
