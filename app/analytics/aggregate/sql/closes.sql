-- The closes of symbols from one day to another, one row per symbol.
SELECT symbol, array_agg(date ORDER BY date) AS dates, array_agg(close::float8 ORDER BY date) AS closes
FROM market_data_cache
WHERE symbol = ANY(cast(:symbols AS text[]))
    AND date BETWEEN :first AND :last
    AND close > 0 AND close < 'Infinity'
GROUP BY symbol
