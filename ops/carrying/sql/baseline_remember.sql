INSERT INTO ops.cutover_baseline (table_name, key, digest)
SELECT
    table_name,
    key,
    after
FROM cutover_changes
WHERE after IS NOT NULL
