-- Sequences, with the column that owns them.
SELECT
    c.relname AS name,
    jsonb_build_object(
        'definition', format(
            '%s INCREMENT %s START %s MINVALUE %s MAXVALUE %s%s',
            format_type(s.seqtypid, NULL), s.seqincrement, s.seqstart, s.seqmin, s.seqmax,
            CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END
        ),
        'owner', (
            SELECT t.relname || '.' || a.attname
            FROM pg_depend AS d
            JOIN pg_class AS t ON t.oid = d.refobjid
            JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        )
    ) AS facts
FROM pg_sequence AS s
JOIN pg_class AS c ON c.oid = s.seqrelid
WHERE c.relnamespace = 'public'::regnamespace
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY c.relname
