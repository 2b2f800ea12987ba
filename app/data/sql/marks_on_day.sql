-- The last usable close on or before :day of each symbol of a list; symbols without one are absent.
SELECT s.symbol, m.close::float8 AS close
FROM unnest(cast(:symbols AS text[])) AS s (symbol)
CROSS JOIN LATERAL (
    SELECT close
    FROM market_data_cache
    WHERE symbol = s.symbol AND close > 0 AND close < 'Infinity' AND date <= cast(:day AS date)
    ORDER BY date DESC
    LIMIT 1
) AS m
