-- Changes of some states by table and kind, with the keys of the first few, and the reasons.
SELECT
    table_name AS table,
    count(*) FILTER (WHERE before IS NULL) AS inserted,
    count(*) FILTER (WHERE before IS NOT NULL AND after IS NOT NULL) AS updated,
    count(*) FILTER (WHERE after IS NULL) AS deleted,
    (array_agg(concat_ws(': ', key, reason) ORDER BY key))[:%(examples)s] AS examples
FROM cutover_changes
WHERE state = ANY(%(states)s)
GROUP BY table_name
