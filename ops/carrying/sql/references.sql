-- Foreign keys to tables: the table, the referring one, its columns, those of the row that they name, and
-- whether the deletion of a row would reach further by it.
SELECT
    k.confrelid::bigint,
    c.oid::bigint,
    n.nspname,
    c.relname,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(k.conkey) WITH ORDINALITY AS one (number, place)
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = one.number
        ORDER BY one.place
    ),
    ARRAY(
        SELECT a.attname::text
        FROM unnest(k.confkey) WITH ORDINALITY AS one (number, place)
        JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = one.number
        ORDER BY one.place
    ),
    k.confdeltype IN ('c', 'n', 'd')
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.confrelid = ANY(%(oids)s) AND k.conparentid = 0
ORDER BY n.nspname, c.relname, k.conname
