-- Extensions that are installed beside the one that every database has.
SELECT extname AS name, jsonb_build_object('version', extversion) AS facts
FROM pg_extension
WHERE extname <> 'plpgsql'
ORDER BY extname
