-- What changed is written anew.
DELETE FROM ops.cutover_baseline AS b
USING cutover_changes AS c
WHERE b.table_name = c.table_name AND b.key = c.key
