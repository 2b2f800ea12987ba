-- The CHECK constraints of a relation, as conditions over its columns.
SELECT
    k.conname AS name,
    coalesce(array_agg(a.attname::text) FILTER (WHERE a.attname IS NOT NULL), '{}') AS columns,
    pg_get_expr(k.conbin, k.conrelid) AS condition
FROM pg_constraint AS k
LEFT JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey)
WHERE k.conrelid = %(oid)s AND k.contype = 'c'
GROUP BY k.oid, k.conname, k.conbin, k.conrelid
ORDER BY k.conname
