-- Daily prices of a list of symbols, one row and six parallel columns of days each, over the
-- :lookback calendar days that end with the newest usable close of any of them. What is missing or
-- no number is the close; a missing volume is 0.
WITH newest AS (
    SELECT max(m.date) AS day
    FROM unnest(cast(:symbols AS text[])) AS s (symbol)
    CROSS JOIN LATERAL (
        SELECT date
        FROM market_data_cache
        WHERE symbol = s.symbol AND close > 0 AND close < 'Infinity'
        ORDER BY date DESC
        LIMIT 1
    ) AS m
),
daily AS (
    SELECT
        symbol,
        date,
        close::float8 AS close,
        CASE WHEN open > 0 AND open < 'Infinity' THEN open ELSE close END::float8 AS open,
        CASE WHEN high > 0 AND high < 'Infinity' THEN high ELSE close END::float8 AS high,
        CASE WHEN low > 0 AND low < 'Infinity' THEN low ELSE close END::float8 AS low,
        coalesce(volume, 0) AS volume
    FROM market_data_cache
    WHERE symbol = ANY(cast(:symbols AS text[])) AND close > 0 AND close < 'Infinity'
        AND date >= (SELECT day FROM newest) - cast(:lookback AS integer)
)
SELECT
    symbol,
    array_agg(date ORDER BY date) AS dates,
    array_agg(open ORDER BY date) AS open,
    array_agg(high ORDER BY date) AS high,
    array_agg(low ORDER BY date) AS low,
    array_agg(close ORDER BY date) AS close,
    array_agg(volume ORDER BY date) AS volume
FROM daily
GROUP BY symbol
ORDER BY symbol COLLATE "C"
