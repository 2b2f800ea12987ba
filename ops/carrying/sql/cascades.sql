-- Foreign keys to a table by which the deletion of a row would reach further: the referring table,
-- its columns, and those of the row that they name.
SELECT
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
    )
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.confrelid = %(oid)s AND k.confdeltype IN ('c', 'n', 'd')
    AND k.conparentid = 0
ORDER BY n.nspname, c.relname, k.conname
