-- The closes of what a live portfolio ever held, on the sessions that the range looks back on.
SELECT m.symbol::text, m.date, m.close::float8
FROM market_data_cache AS m
WHERE m.date = ANY(%(sessions)s) AND m.close > 0 AND m.close <> 'NaN'
    AND m.symbol IN (
        SELECT p.symbol
        FROM positions AS p
        JOIN portfolios AS owner ON owner.id = p.portfolio_id
        WHERE owner.deleted_at IS NULL AND owner.is_active
    )
