-- Closes of the file that move by more than 60 % from the stored close before them, or as much back,
-- the worst first; the file itself has nothing between the two.
SELECT n.symbol, n.date, m.close, n.close
FROM new_prices AS n
CROSS JOIN LATERAL (
    SELECT stored.date, stored.close
    FROM market_data_cache AS stored
    WHERE stored.symbol = n.symbol
        AND stored.date < n.date
        AND stored.close > 0
        AND stored.close < 'Infinity'
    ORDER BY stored.date DESC
    LIMIT 1
) AS m
WHERE abs(ln(n.close / m.close)) > ln(1.6)
    AND NOT EXISTS (
        SELECT 1 FROM new_prices AS near
        WHERE near.symbol = n.symbol AND near.date >= m.date AND near.date < n.date
    )
ORDER BY abs(ln(n.close / m.close)) DESC, n.symbol, n.date
