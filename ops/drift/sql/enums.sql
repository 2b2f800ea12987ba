-- Enum types with their values in order.
SELECT
    t.typname AS name,
    jsonb_build_object(
        'values', (
            SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
            FROM pg_enum AS e WHERE e.enumtypid = t.oid
        )
    ) AS facts
FROM pg_type AS t
WHERE t.typnamespace = 'public'::regnamespace
    AND t.typtype = 'e'
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    )
ORDER BY t.typname
