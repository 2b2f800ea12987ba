-- Tables of a schema, or what else rows can be read from: their columns in order, and the
-- column sets in which a valid, unconditional unique index allows no value twice.
-- Children by inheritance add rows that the unique keys of a plain table do not cover.
SELECT
    c.oid::bigint AS oid,
    n.nspname AS schema,
    c.relname AS name,
    c.relkind = 'r' AS is_table,
    c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = c.oid)
        AS has_children,
    (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', a.attname,
            'type_oid', a.atttypid::bigint,
            'type_modifier', a.atttypmod,
            'type_name', format_type(a.atttypid, a.atttypmod),
            'not_null', a.attnotnull,
            'has_default', a.atthasdef OR a.attidentity <> '',
            'generated', a.attgenerated <> '',
            'labels', (
                SELECT coalesce(jsonb_agg(e.enumlabel ORDER BY e.enumsortorder), '[]')
                FROM pg_enum AS e
                WHERE e.enumtypid = a.atttypid
            )
        ) ORDER BY a.attnum), '[]')
        FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS columns,
    (
        WITH RECURSIVE heirs AS (
            SELECT i.inhrelid AS oid FROM pg_inherits AS i WHERE i.inhparent = c.oid
            UNION
            SELECT i.inhrelid FROM pg_inherits AS i JOIN heirs AS h ON h.oid = i.inhparent
        )
        SELECT coalesce(jsonb_agg(DISTINCT concat_ws('.', r.relname, a.attname)), '[]')
        FROM heirs AS h
        JOIN pg_class AS r ON r.oid = h.oid
        JOIN pg_attribute AS a ON a.attrelid = h.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE NOT EXISTS (
            SELECT FROM pg_attribute AS own
            WHERE own.attrelid = c.oid AND own.attname = a.attname AND NOT own.attisdropped
        )
    ) AS heirs_columns,
    (
        SELECT coalesce(jsonb_agg(k.columns), '[]')
        FROM (
            SELECT array_agg(a.attname::text) AS columns
            FROM pg_index AS i
            CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, position)
            JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE i.indrelid = c.oid
                AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
                AND k.position <= i.indnkeyatts
            GROUP BY i.indexrelid
        ) AS k
    ) AS unique_keys
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s) AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
