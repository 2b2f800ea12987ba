-- Changes by table and kind, each row once, with the keys of the first few.
SELECT
    c.table_name AS table,
    count(*) FILTER (WHERE c.before IS NULL) AS inserted,
    count(*) FILTER (WHERE c.before IS NOT NULL AND c.after IS NOT NULL) AS updated,
    count(*) FILTER (WHERE c.after IS NULL) AS deleted,
    ARRAY(
        SELECT f.key::text
        FROM cutover_changes AS f
        WHERE f.table_name = c.table_name
        ORDER BY f.key
        LIMIT %(examples)s
    ) AS examples
FROM cutover_changes AS c
GROUP BY c.table_name
