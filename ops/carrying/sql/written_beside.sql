-- Note the rows of a table that this transaction has written and nobody staged.
INSERT INTO {staging} (loss_change, loss_key, loss_before, loss_after, loss_state, id)
SELECT 'updated', t.id, '', '', 'beside', t.id
FROM {table} AS t
WHERE age(t.xmin) <= age(pg_current_xact_id()::xid)
    AND NOT EXISTS (SELECT FROM {staging} AS s WHERE s.loss_key = t.id)
