-- What portfolios hold and what it is worth, on the rule written once more: units, a hundredfold for
-- options, times the newest good close; a private asset at the value that the batch keeps for it.
WITH held AS (
    SELECT
        h.*,
        (
            SELECT m.close
            FROM market_data_cache AS m
            WHERE m.symbol = h.symbol AND m.close > 0 AND m.close < 'Infinity'
            ORDER BY m.date DESC
            LIMIT 1
        ) AS close,
        greatest(
            (SELECT max(s.snapshot_date) FROM portfolio_snapshots AS s
                WHERE s.portfolio_id = h.portfolio_id),
            (SELECT max(m.date) FROM positions AS o
                JOIN market_data_cache AS m ON m.symbol = o.symbol
                WHERE o.portfolio_id = h.portfolio_id
                    AND o.deleted_at IS NULL AND o.exit_date IS NULL
                    AND o.investment_class IS DISTINCT FROM 'PRIVATE'
                    AND m.close > 0 AND m.close < 'Infinity')
        ) AS today
    FROM positions AS h
    WHERE h.portfolio_id = ANY(%(portfolios)s::uuid[])
        AND h.deleted_at IS NULL AND h.exit_date IS NULL
)
SELECT
    portfolio_id::text AS portfolio,
    id::text AS id,
    symbol,
    position_type::text AS position_type,
    CASE
        WHEN investment_class = 'PRIVATE' AND market_value > 0 AND market_value < 'Infinity'
            THEN market_value::float8
        WHEN investment_class = 'PRIVATE' THEN (quantity * entry_price)::float8
        WHEN position_type IN ('LC', 'LP', 'SC', 'SP') THEN (100 * quantity * close)::float8
        ELSE (quantity * close)::float8
    END AS value
FROM held
WHERE investment_class IS DISTINCT FROM 'OPTIONS'
    OR expiration_date IS NULL OR today IS NULL OR expiration_date >= today
ORDER BY symbol, id
