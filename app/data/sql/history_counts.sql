-- How many usable closes each symbol of a list has in the :span days that end with :day, and the
-- newest of them. Symbols without any are absent.
SELECT symbol, count(*) AS closes, max(date) AS newest
FROM market_data_cache
WHERE symbol = ANY(cast(:symbols AS text[])) AND close > 0 AND close < 'Infinity'
    AND date <= cast(:day AS date) AND date > cast(:day AS date) - cast(:span AS integer)
GROUP BY symbol
