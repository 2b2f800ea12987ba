-- Deparsed definitions leave out the schemas of the search path: public, and wherever the server
-- keeps its extensions, so that the same object reads the same everywhere.
SELECT set_config('search_path', string_agg(quote_ident(schema_name), ', ' ORDER BY rank), true)
FROM (
    SELECT 0 AS rank, 'public' AS schema_name
    UNION
    SELECT 1, n.nspname
    FROM pg_extension AS e
    JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE n.nspname NOT IN ('public', 'pg_catalog')
) AS schemas
