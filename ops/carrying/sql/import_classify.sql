-- What is still to be done of each staged change. An untouched row is older than the swap, whatever
-- it says: the copy then left it so.
UPDATE {staging} AS s
SET
    loss_state = CASE
        WHEN s.loss_change = 'deleted' AND f.digest IS NULL THEN 'already'
        WHEN s.loss_change <> 'deleted' AND {there} THEN 'already'
        WHEN s.loss_change = 'inserted' AND f.digest IS NULL THEN 'pending'
        WHEN s.loss_change <> 'inserted' AND (
            left(f.digest, 64) = left(s.loss_before, 64) OR {known} OR f.touched <= %(since)s
        ) THEN 'pending'
        ELSE 'conflict'
    END,
    loss_reason = CASE
        WHEN f.digest IS NULL THEN 'the row was deleted meanwhile'
        WHEN s.loss_change = 'inserted' THEN 'there is another row of this id'
        ELSE 'the row was changed meanwhile'
    END
FROM {staging} AS o
LEFT JOIN (SELECT t.id, t.touched, {digest} AS digest FROM ({rows}) AS t) AS f ON f.id = o.loss_key
WHERE o.loss_line = s.loss_line
