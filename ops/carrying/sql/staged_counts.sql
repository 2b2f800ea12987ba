-- Staged changes of a table, of some states, by kind, with the keys of the first few.
SELECT
    {table}::text AS table,
    count(*) FILTER (WHERE loss_change = 'inserted') AS inserted,
    count(*) FILTER (WHERE loss_change = 'updated') AS updated,
    count(*) FILTER (WHERE loss_change = 'deleted') AS deleted,
    coalesce(
        (array_agg(concat_ws(': ', loss_key, loss_reason) ORDER BY loss_line))[:{examples}], '{{}}'
    ) AS examples
FROM {staging}
WHERE loss_state = ANY({states})
HAVING count(*) > 0
