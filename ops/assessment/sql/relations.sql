-- Every relation of the users, whatever the session may do there. The rows of partitions and of heirs
-- count in their parent, and so do the columns that they have besides.
WITH RECURSIVE heirs AS (
    SELECT i.inhparent AS root, i.inhrelid AS heir FROM pg_inherits AS i
    UNION
    SELECT h.root, i.inhrelid FROM heirs AS h JOIN pg_inherits AS i ON i.inhparent = h.heir
)
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    pg_get_userbyid(c.relowner)::text AS owner,
    has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
    pg_total_relation_size(c.oid) AS bytes,
    c.relrowsecurity AS row_security,
    c.relkind = 'f' AS elsewhere,
    c.relkind IN ('v', 'm') AS is_view,
    (
        SELECT e.extname::text FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    ) AS extension,
    ARRAY(
        SELECT DISTINCT o.nspname::text
        FROM pg_inherits AS i
        JOIN pg_class AS p ON p.oid = i.inhparent
        JOIN pg_namespace AS o ON o.oid = p.relnamespace
        WHERE i.inhrelid = c.oid
    ) AS parents,
    ARRAY(
        SELECT DISTINCT v.relname::text
        FROM pg_depend AS d
        JOIN pg_rewrite AS r ON r.oid = d.objid
        JOIN pg_class AS v ON v.oid = r.ev_class
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
            AND d.refobjid = c.oid AND v.relnamespace = c.relnamespace AND v.relkind = 'v'
    ) AS read_by,
    ARRAY(
        SELECT t.tgname::text FROM pg_trigger AS t
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY 1
    ) AS triggers,
    ARRAY(
        SELECT a.attname::text
        FROM (SELECT c.oid UNION SELECT h.heir FROM heirs AS h WHERE h.root = c.oid) AS own (oid)
        JOIN pg_attribute AS a ON a.attrelid = own.oid AND a.attnum > 0 AND NOT a.attisdropped
        GROUP BY a.attname
        ORDER BY bool_and(a.attrelid <> c.oid), min(a.attnum)
    ) AS columns
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v')
    AND n.nspname !~ '^pg_'
    AND n.nspname NOT IN ('information_schema', 'sigmasight_cutover')
ORDER BY n.nspname, c.relname
