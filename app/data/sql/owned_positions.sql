-- The positions of a list that a user owns, in live portfolios and not deleted.
SELECT q.id, q.portfolio_id, q.symbol
FROM positions AS q
JOIN portfolios AS p ON p.id = q.portfolio_id
WHERE q.id = ANY(cast(:positions AS uuid[])) AND q.deleted_at IS NULL
    AND p.user_id = :user_id AND p.deleted_at IS NULL
