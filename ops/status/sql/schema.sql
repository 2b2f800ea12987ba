-- What is built here, and as which half of a pair.
SELECT
    (SELECT count(*) FROM pg_tables WHERE schemaname = 'public') AS tables,
    (SELECT max(extversion) FROM pg_extension WHERE extname = 'vector') AS vector,
    (SELECT max(role) FROM ops.database_marker) AS role,
    to_regnamespace('sigmasight_cutover') IS NOT NULL AS fenced
