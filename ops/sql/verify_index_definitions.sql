-- The usable indexes of a table, as statements.
SELECT i.relname, pg_get_indexdef(i.oid)
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
WHERE x.indrelid = to_regclass(%(table)s) AND x.indisvalid AND x.indisready
ORDER BY i.relname
