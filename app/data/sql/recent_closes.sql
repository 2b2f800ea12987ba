-- The last :count days with a usable close of each symbol of a list, newest first. Highs and lows
-- that are missing or no numbers are the close.
SELECT
    s.symbol,
    m.date,
    m.close::float8 AS close,
    CASE WHEN m.high > 0 AND m.high < 'Infinity' THEN m.high ELSE m.close END::float8 AS high,
    CASE WHEN m.low > 0 AND m.low < 'Infinity' THEN m.low ELSE m.close END::float8 AS low,
    coalesce(m.volume, 0) AS volume
FROM unnest(cast(:symbols AS text[])) AS s (symbol)
CROSS JOIN LATERAL (
    SELECT date, close, high, low, volume
    FROM market_data_cache
    WHERE symbol = s.symbol AND close > 0 AND close < 'Infinity'
    ORDER BY date DESC
    LIMIT cast(:count AS integer)
) AS m
ORDER BY s.symbol COLLATE "C", m.date DESC
