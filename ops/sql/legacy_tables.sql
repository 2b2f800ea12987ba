-- Every relation with one of the wanted names, in whatever spelling and in whatever schema of the
-- users, with what this session may do there: neither search_path nor privileges hide a name.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    has_schema_privilege(n.oid, 'USAGE') AS reachable,
    has_table_privilege(c.oid, 'SELECT') AS readable,
    ARRAY(
        SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    ) AS columns
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND lower(c.relname) = ANY (%(names)s)
    AND n.nspname !~ '^pg_'
    AND n.nspname NOT IN ('information_schema', 'sigmasight_cutover')
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname
