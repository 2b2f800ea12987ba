-- What portfolios hold now, each position with its mark: the last good close of its symbol. Now is
-- the newest day that the portfolio's prices or snapshots reach, so that a book whose prices ended
-- is shown as of then. An option is gone after its expiration, on the batch's rule.
WITH held AS (
    SELECT *
    FROM positions
    WHERE portfolio_id = ANY(cast(:portfolios AS uuid[]))
        AND deleted_at IS NULL AND exit_date IS NULL
),
marked AS (
    SELECT s.symbol, m.close, m.date
    FROM (SELECT DISTINCT symbol FROM held WHERE investment_class IS DISTINCT FROM 'PRIVATE') AS s
    CROSS JOIN LATERAL (
        SELECT close, date
        FROM market_data_cache
        WHERE symbol = s.symbol AND close > 0 AND close < 'Infinity'
        ORDER BY date DESC
        LIMIT 1
    ) AS m
),
-- Each portfolio reaches a day of its own; only options ask for it.
reached AS (
    SELECT o.portfolio_id, greatest(
        (SELECT max(m.date) FROM held AS h JOIN marked AS m ON m.symbol = h.symbol
            WHERE h.portfolio_id = o.portfolio_id),
        (SELECT max(snapshot_date) FROM portfolio_snapshots WHERE portfolio_id = o.portfolio_id)
    ) AS day
    FROM (SELECT DISTINCT portfolio_id FROM held WHERE investment_class = 'OPTIONS') AS o
)
SELECT
    h.id,
    h.portfolio_id,
    h.symbol,
    h.position_type::text AS position_type,
    coalesce(h.investment_class, 'PUBLIC') AS investment_class,
    h.investment_subtype,
    h.underlying_symbol,
    h.quantity::float8 AS quantity,
    h.entry_price::float8 AS entry_price,
    h.entry_date,
    h.strike_price::float8 AS strike_price,
    h.expiration_date,
    CASE
        WHEN h.investment_class = 'PRIVATE' AND h.quantity <> 0
            AND h.market_value > 0 AND h.market_value < 'Infinity'
            THEN (h.market_value / h.quantity)::float8
        WHEN h.investment_class = 'PRIVATE' THEN h.entry_price::float8
        ELSE m.close::float8
    END AS price,
    m.date AS price_date
FROM held AS h
LEFT JOIN marked AS m ON m.symbol = h.symbol AND h.investment_class IS DISTINCT FROM 'PRIVATE'
LEFT JOIN reached AS r ON r.portfolio_id = h.portfolio_id
WHERE NOT (h.investment_class = 'OPTIONS' AND coalesce(h.expiration_date < r.day, false))
ORDER BY h.symbol COLLATE "C", h.id
