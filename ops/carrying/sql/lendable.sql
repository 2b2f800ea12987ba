-- Of each unique key of a table but its primary one, the column that can lend a value: a text of 16
-- characters, else a whole number; and whether it is a text.
SELECT DISTINCT ON (i.indexrelid)
    a.attname::text,
    t.typcategory = 'S'
FROM pg_index AS i
JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE i.indrelid = %(oid)s AND i.indisunique AND NOT i.indisprimary AND a.attgenerated = ''
    AND (
        (t.typcategory = 'S' AND (a.atttypmod = -1 OR a.atttypmod >= 20))
        OR a.atttypid IN ('integer'::regtype, 'bigint'::regtype)
    )
ORDER BY i.indexrelid, t.typcategory = 'S' DESC, a.attnum
