-- How many rows of a table this transaction has written that nobody staged.
SELECT count(*)
FROM {table} AS t
WHERE age(t.xmin) <= age(pg_current_xact_id()::xid)
    AND NOT EXISTS (SELECT FROM {staging} AS s WHERE s.loss_key = t.id)
