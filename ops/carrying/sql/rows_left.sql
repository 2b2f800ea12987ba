-- How many rows a table has beside those that were carried into it, as if none had been taken from it.
SELECT
    (SELECT count(*) FROM {table})
    - count(*) FILTER (WHERE change = 'inserted')
    + count(*) FILTER (WHERE change = 'deleted')
FROM cutover_changes
WHERE table_name = {name} AND state = 'written'
