-- Prices of legacy as a price file; its providers did not always say more than the close.
COPY (
    SELECT
        symbol,
        date,
        coalesce(open, close) AS open,
        coalesce(high, close) AS high,
        coalesce(low, close) AS low,
        close,
        coalesce(volume, 0) AS volume
    FROM market_data_cache
    WHERE close > 0 AND close < 'Infinity'
) TO STDOUT (FORMAT csv, HEADER)
