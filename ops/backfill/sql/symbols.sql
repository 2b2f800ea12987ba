-- Every symbol whose prices the batch can need, of all live portfolios and not only of those that
-- are worked on: whether a day has prices must not depend on which others are asked for.
SELECT DISTINCT wanted.symbol
FROM positions AS p
JOIN portfolios AS f ON f.id = p.portfolio_id AND f.deleted_at IS NULL AND f.is_active
CROSS JOIN LATERAL unnest(ARRAY[p.symbol, nullif(p.underlying_symbol, '')]) AS wanted (symbol)
WHERE coalesce(p.investment_class, 'PUBLIC') <> 'PRIVATE' AND wanted.symbol IS NOT NULL
ORDER BY wanted.symbol
