-- Positions whose symbols have no price here, so that no batch marks them: they show what legacy shows.
UPDATE positions AS p
SET last_price = s.last_price, market_value = s.market_value, unrealized_pnl = s.unrealized_pnl
FROM pg_temp.copy_ranked AS s
WHERE s.copy_rank = 1
    AND p.id = s.id
    AND (p.last_price, p.market_value, p.unrealized_pnl)
        IS DISTINCT FROM (s.last_price, s.market_value, s.unrealized_pnl)
    AND NOT EXISTS (
        SELECT FROM market_data_cache AS m WHERE m.symbol = p.symbol AND m.close > 0
    )
