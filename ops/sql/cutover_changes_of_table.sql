-- A table's changes: of the rows that may be new those with another digest, and all that are gone.
INSERT INTO cutover_changes (table_name, key, before, after)
SELECT
    {table},
    p.key,
    b.digest,
    p.digest
FROM ({new}) AS p
LEFT JOIN ops.cutover_baseline AS b ON b.table_name = {table} AND b.key = p.key
WHERE b.digest IS DISTINCT FROM p.digest
UNION ALL
SELECT
    {table},
    b.key,
    b.digest,
    NULL
FROM ops.cutover_baseline AS b
WHERE b.table_name = {table}
    AND NOT EXISTS (SELECT FROM ({keys}) AS k WHERE k.key = b.key)
