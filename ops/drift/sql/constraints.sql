-- Keys, checks and exclusions. NOT NULL is a fact of the column: only from PostgreSQL 18 on does
-- it also stand here. A foreign key whose triggers are off holds nothing together.
SELECT
    c.relname || '.' || k.conname AS name,
    jsonb_build_object(
        'definition', regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', ''),
        'validity', CASE
            -- The definition says it, and VALIDATE is refused.
            WHEN pg_get_constraintdef(k.oid) LIKE '% NOT ENFORCED' THEN 'valid'
            WHEN NOT k.convalidated THEN 'NOT VALID'
            -- A key has triggers on its own table and on the one that it refers to.
            ELSE coalesce((
                SELECT 'DISABLED on ' || string_agg(DISTINCT g.tgrelid::regclass::text, ', ')
                FROM pg_trigger AS g WHERE g.tgconstraint = k.oid AND g.tgenabled = 'D'
            ), 'valid')
        END
    ) AS facts
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('p', 'u', 'f', 'c', 'x')
ORDER BY c.relname, k.conname
