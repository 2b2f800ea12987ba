-- How many objects of each kind a database holds, beyond the catalogue's and the extensions' own.
WITH schemas AS (
    SELECT oid, nspname FROM pg_catalog.pg_namespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
), relations AS (
    SELECT c.oid, c.relkind
    FROM pg_catalog.pg_class AS c JOIN schemas AS s ON s.oid = c.relnamespace
    WHERE c.relpersistence <> 't' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
)
-- Every new database has `public`, also the one that a dump without it is restored into.
SELECT 'schemas', count(*) FROM schemas WHERE nspname <> 'public'
UNION ALL
SELECT CASE relkind
    WHEN 'r' THEN 'tables' WHEN 'p' THEN 'partitioned tables' WHEN 'v' THEN 'views'
    WHEN 'm' THEN 'materialised views' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'foreign tables'
    WHEN 'c' THEN 'composite types' ELSE 'indexes' END, count(*)
FROM relations GROUP BY 1
UNION ALL
SELECT 'columns', count(*) FROM pg_catalog.pg_attribute AS a JOIN relations AS r ON r.oid = a.attrelid
WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
-- Not-null constraints are rows of their own only from PostgreSQL 18 on.
SELECT 'constraints', count(*) FROM pg_catalog.pg_constraint AS c JOIN relations AS r ON r.oid = c.conrelid
WHERE c.contype <> 'n'
UNION ALL
SELECT 'triggers', count(*) FROM pg_catalog.pg_trigger AS t JOIN relations AS r ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal
UNION ALL
SELECT 'enum values', count(*) FROM pg_catalog.pg_enum AS e
JOIN pg_catalog.pg_type AS t ON t.oid = e.enumtypid JOIN schemas AS s ON s.oid = t.typnamespace
UNION ALL
SELECT 'functions', count(*) FROM pg_catalog.pg_proc AS p JOIN schemas AS s ON s.oid = p.pronamespace
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
)
UNION ALL
SELECT 'extensions', count(*) FROM pg_catalog.pg_extension
UNION ALL
SELECT 'large objects', count(*) FROM pg_catalog.pg_largeobject_metadata
ORDER BY 1
