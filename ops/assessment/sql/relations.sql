-- Every table of the users, whatever the session may do there; the rows of partitions and of
-- heirs count in their parent.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    pg_get_userbyid(c.relowner)::text AS owner,
    has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
    pg_total_relation_size(c.oid) AS bytes,
    c.relrowsecurity AS row_security,
    c.relkind = 'f' AS elsewhere,
    ARRAY(
        SELECT t.tgname::text FROM pg_trigger AS t
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY 1
    ) AS triggers,
    ARRAY(
        SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    ) AS columns
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f')
    AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid)
    AND n.nspname !~ '^pg_'
    AND n.nspname NOT IN ('information_schema', 'sigmasight_cutover')
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname
