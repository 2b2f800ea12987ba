-- The newest usable row of each ETF of a list, and the first usable close of the :lookback calendar
-- days that end with it. What is missing or no number is the close.
SELECT
    s.symbol,
    m.date,
    m.close::float8 AS close,
    CASE WHEN m.open > 0 AND m.open < 'Infinity' THEN m.open ELSE m.close END::float8 AS open,
    CASE WHEN m.high > 0 AND m.high < 'Infinity' THEN m.high ELSE m.close END::float8 AS high,
    CASE WHEN m.low > 0 AND m.low < 'Infinity' THEN m.low ELSE m.close END::float8 AS low,
    coalesce(m.volume, 0) AS volume,
    m.updated_at,
    m.data_source,
    m.exchange,
    m.market_cap::float8 AS market_cap,
    b.date AS base_date,
    b.close::float8 AS base_close
FROM unnest(cast(:symbols AS text[])) AS s (symbol)
CROSS JOIN LATERAL (
    SELECT *
    FROM market_data_cache
    WHERE symbol = s.symbol AND close > 0 AND close < 'Infinity'
    ORDER BY date DESC
    LIMIT 1
) AS m
CROSS JOIN LATERAL (
    SELECT date, close
    FROM market_data_cache
    WHERE symbol = s.symbol AND close > 0 AND close < 'Infinity'
        AND date >= m.date - cast(:lookback AS integer)
    ORDER BY date
    LIMIT 1
) AS b
