-- Takes what Core lacks, or has without a usable price; and the contradictions, which were accepted.
INSERT INTO market_data_cache AS m (
    id, symbol, date, open, high, low, close, volume, data_source, created_at, updated_at
)
SELECT
    gen_random_uuid(),
    n.symbol,
    n.date,
    n.open,
    n.high,
    n.low,
    n.close,
    n.volume,
    %(source)s,
    now(),
    now()
FROM new_prices AS n
ON CONFLICT (symbol, date) DO UPDATE SET
    open = excluded.open,
    high = excluded.high,
    low = excluded.low,
    close = excluded.close,
    volume = excluded.volume,
    data_source = excluded.data_source,
    updated_at = now()
WHERE NOT (m.close > 0 AND m.close < 'Infinity')
    OR abs(excluded.close - m.close) > 0.0001 * m.close
RETURNING m.date
