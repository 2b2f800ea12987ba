-- The baseline says of each changed row what it is now.
DELETE FROM ops.cutover_baseline AS b
USING cutover_changes AS c
WHERE b.table_name = c.table_name AND b.key = c.key;

INSERT INTO ops.cutover_baseline (table_name, key, digest)
SELECT
    table_name,
    key,
    after
FROM cutover_changes
WHERE after IS NOT NULL
