-- Rows of symbol_factor_exposures on the last day, against the symbols held on it and their prices.
WITH last_day AS (
    SELECT (%(days)s::date[])[cardinality(%(days)s::date[])] AS day
),
prices AS (
    SELECT m.symbol, m.date AS day
    FROM market_data_cache AS m
    WHERE m.date = ANY(%(sessions)s) AND m.close > 0 AND m.close <> 'NaN'
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
held AS (
    SELECT DISTINCT p.symbol
    FROM positions AS p
    JOIN portfolios AS owner ON owner.id = p.portfolio_id
    CROSS JOIN last_day
    WHERE owner.deleted_at IS NULL AND owner.is_active
        AND coalesce(p.investment_class, 'PUBLIC') = 'PUBLIC'
        AND p.position_type IN ('LONG', 'SHORT')
        AND p.entry_date <= last_day.day
        AND coalesce(p.exit_date >= last_day.day, true)
        AND coalesce((p.deleted_at AT TIME ZONE 'UTC')::date >= last_day.day, true)
),
expected AS (
    SELECT
        held.symbol,
        CASE WHEN count(*) FILTER (WHERE etfs.style AND last_day.day - prices.day <= 120) > 30
            THEN %(styles)s ELSE 0 END
        + CASE WHEN count(*) FILTER (WHERE etfs.spread AND last_day.day - prices.day <= 210) > 60
            THEN %(spreads)s ELSE 0 END AS rows
    FROM held
    CROSS JOIN last_day
    LEFT JOIN prices ON prices.symbol = held.symbol
    LEFT JOIN etfs ON etfs.day = prices.day
    GROUP BY held.symbol
),
found AS (
    SELECT x.symbol, count(*) AS rows
    FROM symbol_factor_exposures AS x
    JOIN last_day ON last_day.day = x.calculation_date
    GROUP BY x.symbol
)
SELECT
    coalesce(sum(e.rows), 0),
    coalesce(sum(f.rows), 0),
    count(*) FILTER (WHERE coalesce(e.rows, 0) <> coalesce(f.rows, 0))
FROM expected AS e
FULL JOIN found AS f USING (symbol)
