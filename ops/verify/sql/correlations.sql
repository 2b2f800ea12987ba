-- Correlation runs and their pairs in the range, against what positions and prices demand.
-- A position's value is units times the last close on or before the day. Lots that were sold later
-- were still held before; from its exit on, a sale is part of the exit. The gross exposure is that of
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
            least(
                p.exit_date,
                (p.deleted_at AT TIME ZONE 'UTC')::date,
                CASE WHEN p.investment_class = 'OPTIONS' THEN p.expiration_date END
            ),
            'infinity'
        ) AS last_open
    FROM positions AS p
    JOIN portfolios AS owner ON owner.id = p.portfolio_id
    WHERE owner.deleted_at IS NULL AND owner.is_active
        AND coalesce(p.investment_class, 'PUBLIC') <> 'PRIVATE'
),
prices AS (
    SELECT
        held.symbol,
        s.day,
        m.close,
        count(m.close) OVER (PARTITION BY held.symbol ORDER BY s.day) AS closes_so_far,
        count(m.close) OVER recent AS recent_closes,
        min(m.close) OVER recent < max(m.close) OVER recent AS moves
    FROM (SELECT DISTINCT symbol FROM live) AS held
    CROSS JOIN sessions AS s
    LEFT JOIN market_data_cache AS m
        ON m.symbol = held.symbol AND m.date = s.day AND m.close > 0 AND m.close <> 'NaN'
    WINDOW recent AS (
        PARTITION BY held.symbol ORDER BY s.day
        RANGE BETWEEN '90 days' PRECEDING AND CURRENT ROW
    )
),
marks AS (
    SELECT
        symbol,
        day,
        first_value(close) OVER (PARTITION BY symbol, closes_so_far ORDER BY day) AS mark,
        recent_closes > 30 AND moves AS moving
    FROM prices
),
units AS (
    SELECT
        live.portfolio_id,
        live.symbol,
        marks.day,
        marks.moving,
        abs(marks.mark) * live.multiplier * (
            live.units_left + coalesce((
                SELECT sum(abs(sold.quantity_closed))
                FROM position_realized_events AS sold
                WHERE sold.position_id = live.id
                    AND sold.trade_date >= marks.day
                    AND coalesce(sold.trade_date < live.exit_date, true)
            ), 0)
        ) AS value
    FROM live
    JOIN marks ON marks.symbol = live.symbol
        AND marks.day BETWEEN live.entry_date AND live.last_open
    WHERE marks.day = ANY(%(days)s)
),
expected AS (
    SELECT u.portfolio_id, u.day, count(DISTINCT u.symbol) AS symbols
    FROM units AS u
    JOIN portfolio_snapshots AS s ON s.portfolio_id = u.portfolio_id AND s.snapshot_date = u.day
    WHERE u.moving AND u.value >= 10000 AND u.value >= 0.01 * s.gross_exposure
    GROUP BY u.portfolio_id, u.day
),
pairs AS (
    SELECT correlation_calculation_id, count(*) AS pairs
    FROM pairwise_correlations
    GROUP BY correlation_calculation_id
),
found AS (
    SELECT
        c.portfolio_id,
        (c.calculation_date AT TIME ZONE 'UTC')::date AS day,
        c.positions_included AS symbols,
        coalesce(pairs.pairs, 0) AS pairs
    FROM correlation_calculations AS c
    JOIN portfolios AS owner ON owner.id = c.portfolio_id
    LEFT JOIN pairs ON pairs.correlation_calculation_id = c.id
    WHERE owner.deleted_at IS NULL AND owner.is_active
        AND c.duration_days = 90
        AND (c.calculation_date AT TIME ZONE 'UTC')::date
            BETWEEN (%(days)s::date[])[1] AND (%(days)s::date[])[cardinality(%(days)s::date[])]
)
SELECT
    count(e.day),
    count(f.day),
    count(*) FILTER (WHERE e.symbols IS DISTINCT FROM f.symbols),
    coalesce(sum(e.symbols * e.symbols), 0),
    coalesce(sum(f.pairs), 0),
    count(*) FILTER (WHERE coalesce(e.symbols * e.symbols, 0) <> coalesce(f.pairs, 0))
FROM expected AS e
FULL JOIN found AS f USING (portfolio_id, day)
