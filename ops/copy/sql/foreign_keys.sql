-- The columns of a relation that name a row of another one by its id.
SELECT own.attname AS column_name, n.nspname AS schema_name, r.relname AS table_name
FROM pg_constraint AS k
JOIN pg_class AS r ON r.oid = k.confrelid
JOIN pg_namespace AS n ON n.oid = r.relnamespace
JOIN pg_attribute AS own ON own.attrelid = k.conrelid AND own.attnum = k.conkey[1]
JOIN pg_attribute AS named ON named.attrelid = k.confrelid AND named.attnum = k.confkey[1]
WHERE k.conrelid = %(oid)s AND k.contype = 'f'
    AND cardinality(k.conkey) = 1 AND named.attname = 'id'
ORDER BY own.attname
