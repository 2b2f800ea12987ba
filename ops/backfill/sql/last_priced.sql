-- The last of the given sessions on which any of the symbols has a price.
SELECT day
FROM unnest(%(days)s::date[]) AS day
WHERE EXISTS (
    SELECT FROM market_data_cache AS m
    WHERE m.date = day AND m.symbol = ANY(%(symbols)s)
        AND m.close > 0 AND m.close < 'Infinity'::numeric
)
ORDER BY day DESC
LIMIT 1
