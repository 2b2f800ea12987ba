-- Days on which listed positions are open, and on which their symbol has a price; ETFs that have
-- none, or not all; symbols that have none.
WITH days AS (
    SELECT unnest(%(days)s::date[]) AS day
),
prices AS (
    SELECT m.symbol, m.date AS day
    FROM market_data_cache AS m
    WHERE m.date = ANY(%(days)s) AND m.close > 0 AND m.close <> 'NaN'
),
held AS (
    SELECT DISTINCT p.symbol, d.day
    FROM positions AS p
    JOIN portfolios AS owner ON owner.id = p.portfolio_id
    CROSS JOIN days AS d
    WHERE owner.deleted_at IS NULL AND owner.is_active
        AND coalesce(p.investment_class, 'PUBLIC') = 'PUBLIC'
        AND p.position_type IN ('LONG', 'SHORT')
        AND p.entry_date <= d.day
        AND coalesce(p.exit_date >= d.day, true)
        AND coalesce((p.deleted_at AT TIME ZONE 'UTC')::date >= d.day, true)
),
by_symbol AS (
    SELECT held.symbol, count(*) AS wanted, count(prices.day) AS priced
    FROM held
    LEFT JOIN prices USING (symbol, day)
    GROUP BY held.symbol
),
etfs AS (
    SELECT etf, count(prices.day) AS priced
    FROM unnest(%(etfs)s::text[]) AS etf
    LEFT JOIN prices ON prices.symbol = etf
    GROUP BY etf
)
SELECT
    coalesce((SELECT sum(wanted) FROM by_symbol), 0)::bigint,
    coalesce((SELECT sum(priced) FROM by_symbol), 0)::bigint,
    ARRAY(SELECT etf FROM etfs WHERE priced = 0 ORDER BY etf),
    ARRAY(
        SELECT etf FROM etfs
        WHERE priced BETWEEN 1 AND cardinality(%(days)s::date[]) - 1 ORDER BY etf
    ),
    ARRAY(SELECT symbol::text FROM by_symbol WHERE priced = 0 ORDER BY symbol)
