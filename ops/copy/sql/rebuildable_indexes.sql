-- Indexes and, with the unique ones, references that can be dropped and put back exactly as they
-- were. Whatever a plain definition does not carry (a comment, a tablespace, CLUSTER, replica
-- identity) or others depend on stays.
SELECT
    x.relname AS index_name,
    pg_get_indexdef(x.oid) AS index_definition,
    k.conname AS constraint_name,
    pg_get_constraintdef(k.oid) AS constraint_definition
FROM pg_index AS i
JOIN pg_class AS x ON x.oid = i.indexrelid
LEFT JOIN pg_constraint AS k ON k.conindid = x.oid AND k.conrelid = i.indrelid
    AND k.contype IN ('p', 'u', 'x')
WHERE i.indrelid = %(oid)s
    AND (%(unique)s OR NOT i.indisunique)
    AND i.indisvalid AND i.indisready AND NOT i.indisclustered AND NOT i.indisreplident
    AND x.reltablespace = 0
    AND NOT EXISTS (
        SELECT FROM pg_description AS d
        WHERE (d.classoid, d.objoid) IN (
            ('pg_class'::regclass, x.oid), ('pg_constraint'::regclass, k.oid)
        )
    )
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE (d.refclassid, d.refobjid) IN (
            ('pg_class'::regclass, x.oid), ('pg_constraint'::regclass, k.oid)
        ) AND d.deptype = 'n'
    )
UNION ALL
SELECT k.conname, '', k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint AS k
WHERE k.conrelid = %(oid)s AND k.contype = 'f' AND k.convalidated AND k.conparentid = 0
    AND %(unique)s
    AND NOT EXISTS (
        SELECT FROM pg_description AS d
        WHERE d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid
    )
ORDER BY 1
