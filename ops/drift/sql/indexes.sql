-- Indexes, those behind a constraint left out: the constraint stands for them.
SELECT
    t.relname || '.' || i.relname AS name,
    jsonb_build_object(
        'definition', pg_get_indexdef(i.oid),
        'validity', CASE WHEN x.indisvalid AND x.indisready AND x.indislive
            THEN 'valid' ELSE 'INVALID' END
    ) AS facts
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_class AS t ON t.oid = x.indrelid
WHERE t.relnamespace = 'public'::regnamespace
    AND NOT EXISTS (
        SELECT FROM pg_constraint AS k
        WHERE k.conindid = x.indexrelid AND k.conrelid = x.indrelid
            AND k.contype IN ('p', 'u', 'x')
    )
ORDER BY t.relname, i.relname
