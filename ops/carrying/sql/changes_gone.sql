-- The baseline's rows of a table that are not there any more.
INSERT INTO cutover_changes (table_name, key, before)
SELECT
    {table},
    b.key,
    b.digest
FROM ops.cutover_baseline AS b
WHERE b.table_name = {table}
    AND NOT EXISTS (SELECT FROM ({rows}) AS r WHERE r.key = b.key)
