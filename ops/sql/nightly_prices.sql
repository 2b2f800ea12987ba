-- The newest day, not after a session, that has the close of the market's ETF and of most symbols
-- that the book needs: of four fifths as many as the best covered day of the month before it. A day
-- whose prices are still being loaded does not count.
WITH wanted AS (
    SELECT DISTINCT needed.symbol
    FROM positions AS p
    JOIN portfolios AS f ON f.id = p.portfolio_id AND f.deleted_at IS NULL AND f.is_active
    CROSS JOIN LATERAL unnest(ARRAY[p.symbol, nullif(p.underlying_symbol, '')]) AS needed (symbol)
    WHERE coalesce(p.investment_class, 'PUBLIC') <> 'PRIVATE'
    UNION
    SELECT %(market_etf)s
),
market AS (
    SELECT max(date) AS newest
    FROM market_data_cache
    WHERE symbol = %(market_etf)s AND close > 0 AND close < 'Infinity' AND date <= %(session)s
),
priced AS (
    SELECT m.date, count(*) AS symbols, bool_or(m.symbol = %(market_etf)s) AS market
    FROM market_data_cache AS m
    JOIN wanted ON wanted.symbol = m.symbol
    WHERE m.close > 0
        AND m.close < 'Infinity'
        AND m.date <= %(session)s
        AND m.date > (SELECT newest FROM market) - 30
    GROUP BY m.date
)
SELECT max(date)
FROM priced
WHERE market AND symbols >= 0.8 * (SELECT max(symbols) FROM priced)
