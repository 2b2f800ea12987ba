-- Usable prices of Core that the file contradicts by more than a hundredth of a per cent, the worst
-- first.
SELECT n.symbol, n.date, m.close, n.close
FROM new_prices AS n
JOIN market_data_cache AS m ON m.symbol = n.symbol AND m.date = n.date
WHERE m.close > 0
    AND m.close < 'Infinity'
    AND abs(n.close - m.close) > 0.0001 * m.close
ORDER BY abs(ln(n.close / m.close)) DESC, n.symbol, n.date
