-- How many rows a table has beside those that were carried into it, as if none had been taken from it.
SELECT
    (SELECT count(*) FROM {table})
    - count(*) FILTER (WHERE s.loss_change = 'inserted')
    + count(*) FILTER (WHERE s.loss_change = 'deleted')
FROM {staging} AS s
WHERE s.loss_state = 'written'
