-- The symbols of each portfolio and day that are large enough to be correlated, in whole cents. A
-- position's value is units times the last close on or before the day. Lots that were sold later
-- were still held before; from its exit on, a sale is part of the exit, which between two sessions
-- counts to the next. The gross exposure is that of
-- the day's stored snapshot.
WITH sessions AS (
    SELECT unnest(%(sessions)s::date[]) AS day
),
live AS (
    SELECT
        p.id,
        p.portfolio_id,
        p.symbol,
        p.exit_date,
        greatest(abs(p.quantity), (
            SELECT sum(abs(sold.quantity_closed))
            FROM position_realized_events AS sold
            WHERE sold.position_id = p.id AND sold.trade_date >= p.exit_date
        )) AS units_left,
        CASE WHEN p.position_type IN ('LONG', 'SHORT') THEN 1 ELSE 100 END AS multiplier,
        p.entry_date,
        coalesce(
            CASE ended.day WHEN p.exit_date
                THEN (SELECT min(s.day) FROM sessions AS s WHERE s.day >= ended.day)
            ELSE ended.day END,
            'infinity'
        ) AS last_open
    FROM positions AS p
    JOIN portfolios AS owner ON owner.id = p.portfolio_id
    CROSS JOIN LATERAL (
        SELECT least(
            p.exit_date,
            (p.deleted_at AT TIME ZONE 'UTC')::date,
            CASE WHEN p.investment_class = 'OPTIONS' THEN p.expiration_date END
        ) AS day
    ) AS ended
    WHERE owner.deleted_at IS NULL AND owner.is_active
        AND coalesce(p.investment_class, 'PUBLIC') <> 'PRIVATE'
),
prices AS (
    SELECT
        held.symbol,
        s.day,
        m.close,
        count(m.close) OVER (PARTITION BY held.symbol ORDER BY s.day) AS closes_so_far
    FROM (SELECT DISTINCT symbol FROM live) AS held
    CROSS JOIN sessions AS s
    LEFT JOIN market_data_cache AS m
        ON m.symbol = held.symbol AND m.date = s.day AND m.close > 0 AND m.close <> 'NaN'
),
marks AS (
    SELECT
        symbol,
        day,
        first_value(close) OVER (PARTITION BY symbol, closes_so_far ORDER BY day) AS mark
    FROM prices
),
units AS (
    SELECT
        live.portfolio_id,
        live.symbol,
        marks.day,
        round(marks.mark * live.multiplier * (
            live.units_left + coalesce((
                SELECT sum(abs(sold.quantity_closed))
                FROM position_realized_events AS sold
                WHERE sold.position_id = live.id
                    AND sold.trade_date >= marks.day
                    AND coalesce(sold.trade_date < live.exit_date, true)
            ), 0)
        ), 2) AS value
    FROM live
    JOIN marks ON marks.symbol = live.symbol
        AND marks.day BETWEEN live.entry_date AND live.last_open
    WHERE marks.day = ANY(%(days)s)
)
SELECT u.portfolio_id, u.day, array_agg(DISTINCT u.symbol::text)
FROM units AS u
JOIN portfolio_snapshots AS s ON s.portfolio_id = u.portfolio_id AND s.snapshot_date = u.day
WHERE u.value >= 10000 AND 100 * u.value >= s.gross_exposure
GROUP BY u.portfolio_id, u.day
