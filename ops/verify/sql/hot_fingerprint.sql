-- What the plans of the hot queries hang on: the server, and of each table its columns and usable indexes.
SELECT
    current_setting('server_version_num'),
    current_database(),
    array_agg(ARRAY[c.relname::text, columns.listed, indexes.listed] ORDER BY c.relname)
FROM pg_class AS c
CROSS JOIN LATERAL (
    SELECT coalesce(string_agg(
        concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum
    ), '') AS listed
    FROM pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) AS columns
CROSS JOIN LATERAL (
    SELECT coalesce(string_agg(pg_get_indexdef(i.indexrelid), '; ' ORDER BY i.indexrelid), '') AS listed
    FROM pg_index AS i
    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indisready
) AS indexes
WHERE c.oid = ANY(%(tables)s::regclass[])
