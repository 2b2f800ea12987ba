-- The usable indexes of a table, as statements. The copies of a row share its id, which no hot query
-- looks for: the primary key is left out.
SELECT i.relname, pg_get_indexdef(i.oid)
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
WHERE x.indrelid = to_regclass(%(table)s)
    AND x.indisvalid
    AND x.indisready
    AND NOT x.indisprimary
ORDER BY i.relname
