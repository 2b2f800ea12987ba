-- Triggers that somebody made; those of a foreign key are a fact of the constraint, and those of a
-- fence are ours until the next swap.
SELECT
    c.relname || '.' || g.tgname AS name,
    jsonb_build_object(
        'definition', pg_get_triggerdef(g.oid),
        'state', CASE g.tgenabled
            WHEN 'O' THEN 'enabled' WHEN 'A' THEN 'always' WHEN 'R' THEN 'replica only'
            ELSE 'disabled'
        END
    ) AS facts
FROM pg_trigger AS g
JOIN pg_class AS c ON c.oid = g.tgrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT g.tgisinternal
    AND g.tgfoid NOT IN (
        SELECT p.oid FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname = 'sigmasight_cutover'
    )
ORDER BY c.relname, g.tgname
