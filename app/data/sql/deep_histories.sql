-- The symbols of a list with at least :closes usable closes in the :span days that end with :day.
SELECT s.symbol
FROM unnest(cast(:symbols AS text[])) AS s (symbol)
WHERE EXISTS (
    SELECT 1
    FROM market_data_cache
    WHERE symbol = s.symbol AND close > 0 AND close < 'Infinity'
        AND date <= cast(:day AS date) AND date > cast(:day AS date) - cast(:span AS integer)
    OFFSET cast(:closes AS integer) - 1
)
