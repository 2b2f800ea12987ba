-- What is still to be done of each staged change. An untouched row is older than the swap, whatever
-- it says: the copy then left it so.
UPDATE {staging} AS u
SET
    state = CASE
        WHEN s.change = 'deleted' AND t.digest IS NULL THEN 'already'
        WHEN s.change <> 'deleted' AND {there} THEN 'already'
        WHEN s.change = 'inserted' AND t.digest IS NULL THEN 'pending'
        WHEN s.change <> 'inserted' AND (
            left(t.digest, 64) = left(s.before, 64) OR {known} OR t.touched <= %(since)s
        ) THEN 'pending'
        ELSE 'conflict'
    END,
    reason = CASE
        WHEN t.digest IS NULL THEN 'the row was deleted meanwhile'
        WHEN s.change = 'inserted' THEN 'there is another row of this id'
        ELSE 'the row was changed meanwhile'
    END
FROM {staging} AS s
LEFT JOIN ({rows}) AS t ON t.id = s.key
WHERE s.line = u.line
