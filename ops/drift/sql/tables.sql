-- Every relation that can be read like a table, those of extensions left out.
SELECT
    c.relname AS name,
    jsonb_build_object(
        'kind', CASE c.relkind
            WHEN 'r' THEN 'table'
            WHEN 'p' THEN 'partitioned table'
            WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view'
            ELSE 'foreign table'
        END,
        'persistence', CASE c.relpersistence WHEN 'p' THEN 'logged' ELSE 'unlogged' END,
        'row security', CASE WHEN c.relrowsecurity THEN 'on' ELSE 'off' END
    ) AS facts
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY c.relname
