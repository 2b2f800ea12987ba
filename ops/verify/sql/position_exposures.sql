-- Rows of position_factor_exposures in the range, against what positions and prices demand.
-- A window of w days ends on the day and holds the prices dated day - w to day on which the
-- symbol and all ETFs have one; n prices make n - 1 returns. An exit between two sessions counts to
-- the next.
WITH sessions AS (
    SELECT unnest(%(sessions)s::date[]) AS day
),
prices AS (
    SELECT m.symbol, m.date AS day
    FROM market_data_cache AS m
    JOIN sessions ON sessions.day = m.date
    WHERE m.close > 0 AND m.close <> 'NaN'
),
etfs AS (
    SELECT
        day,
        count(*) FILTER (WHERE symbol = ANY(%(style_etfs)s))
            = cardinality(%(style_etfs)s::text[]) AS style,
        count(*) FILTER (WHERE symbol = ANY(%(spread_etfs)s))
            = cardinality(%(spread_etfs)s::text[]) AS spread
    FROM prices
    WHERE symbol = ANY(%(style_etfs)s::text[] || %(spread_etfs)s::text[])
    GROUP BY day
),
live AS (
    SELECT
        p.id,
        p.symbol,
        p.entry_date,
        coalesce(
            CASE ended.day WHEN p.exit_date
                THEN (SELECT min(s.day) FROM sessions AS s WHERE s.day >= ended.day)
            ELSE ended.day END,
            'infinity'
        ) AS last_open,
        coalesce(p.investment_class, 'PUBLIC') = 'PUBLIC'
            AND p.position_type IN ('LONG', 'SHORT') AS eligible
    FROM positions AS p
    JOIN portfolios AS owner ON owner.id = p.portfolio_id
    CROSS JOIN LATERAL (
        SELECT least(p.exit_date, (p.deleted_at AT TIME ZONE 'UTC')::date) AS day
    ) AS ended
    WHERE owner.deleted_at IS NULL AND owner.is_active
),
history AS (
    SELECT
        held.symbol,
        s.day,
        count(*) FILTER (WHERE etfs.style AND prices.day IS NOT NULL) OVER (
            PARTITION BY held.symbol ORDER BY s.day
            RANGE BETWEEN '120 days' PRECEDING AND CURRENT ROW
        ) AS style_prices,
        count(*) FILTER (WHERE etfs.spread AND prices.day IS NOT NULL) OVER (
            PARTITION BY held.symbol ORDER BY s.day
            RANGE BETWEEN '210 days' PRECEDING AND CURRENT ROW
        ) AS spread_prices
    FROM (SELECT DISTINCT symbol FROM live WHERE eligible) AS held
    CROSS JOIN sessions AS s
    LEFT JOIN prices USING (symbol, day)
    LEFT JOIN etfs USING (day)
),
expected AS (
    SELECT
        live.id AS position_id,
        h.day,
        CASE WHEN h.style_prices > 30 THEN %(styles)s ELSE 0 END
            + CASE WHEN h.spread_prices > 60 THEN %(spreads)s ELSE 0 END AS rows
    FROM live
    JOIN history AS h ON h.symbol = live.symbol
        AND h.day BETWEEN live.entry_date AND live.last_open
    WHERE live.eligible AND h.day = ANY(%(days)s)
),
found AS (
    SELECT x.position_id, x.calculation_date AS day, count(*) AS rows
    FROM position_factor_exposures AS x
    JOIN live ON live.id = x.position_id
    WHERE x.calculation_date BETWEEN (%(days)s::date[])[1]
        AND (%(days)s::date[])[cardinality(%(days)s::date[])]
    GROUP BY x.position_id, x.calculation_date
)
SELECT
    coalesce(sum(e.rows), 0),
    coalesce(sum(f.rows), 0),
    count(*) FILTER (WHERE coalesce(e.rows, 0) <> coalesce(f.rows, 0))
FROM expected AS e
FULL JOIN found AS f USING (position_id, day)
