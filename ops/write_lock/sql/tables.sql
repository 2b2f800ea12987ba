-- Every relation of the users' schemas that rows could be written to or through, in the order in
-- which tables are locked; those of extensions are left out. Any role may ask.
SELECT
    c.oid::bigint AS oid,
    n.nspname AS schema,
    c.relname AS name,
    CASE c.relkind
        WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
        WHEN 'm' THEN 'materialized view' ELSE 'foreign table'
    END AS kind,
    pg_get_userbyid(c.relowner)::text AS owner,
    pg_has_role(c.relowner, 'USAGE') OR coalesce(pg_has_role((
        SELECT l.nspowner FROM pg_namespace AS l WHERE l.nspname = 'sigmasight_cutover'
    ), c.relowner, 'USAGE'), false) AS owned,
    -- Rules change what a statement does; COPY and TRUNCATE know none.
    c.relhasrules AND EXISTS (
        SELECT FROM pg_rewrite AS r WHERE r.ev_class = c.oid AND r.ev_type IN ('2', '3', '4')
    ) AS ruled,
    (
        SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum LIMIT 1
    ) AS first_column,
    -- Few are parts, and to ask each of thousands for its parents takes most of the time.
    CASE WHEN NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid)
        THEN ARRAY[lower(c.relname)]
    ELSE (
        WITH RECURSIVE line AS (
            SELECT c.oid
            UNION
            SELECT i.inhparent FROM pg_inherits AS i JOIN line ON i.inhrelid = line.oid
        )
        -- Each by its key: a join, planned for a hundred ancestors, scans all for each relation.
        SELECT array_agg(lower((SELECT a.relname FROM pg_class AS a WHERE a.oid = line.oid)))
        FROM line
    ) END AS lineage,
    coalesce(g.tgname IS NOT NULL, false) AS marked,
    -- BEFORE each INSERT, DELETE, UPDATE and TRUNCATE statement (2 + 4 + 8 + 16 + 32), whatever
    -- session_replication_role says, without a condition and for every column.
    coalesce(
        g.tgtype = 62 AND g.tgenabled = 'A' AND g.tgqual IS NULL AND g.tgattr = ''::int2vector,
        false
    ) AS locked
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_trigger AS g ON g.tgrelid = c.oid AND g.tgname = '00_sigmasight_write_lock'
    AND g.tgfoid = (
        SELECT p.oid FROM pg_proc AS p JOIN pg_namespace AS o ON o.oid = p.pronamespace
        WHERE o.nspname = 'sigmasight_cutover' AND p.proname = 'refuse_write'
    )
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND n.nspname !~ '^pg_'
    AND n.nspname NOT IN ('information_schema', 'sigmasight_cutover')
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname
