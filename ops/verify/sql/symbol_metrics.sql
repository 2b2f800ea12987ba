-- Rows of symbol_daily_metrics on the last day, against the symbols held on it.
WITH last_day AS (
    SELECT (%(days)s::date[])[cardinality(%(days)s::date[])] AS day
),
expected AS (
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
found AS (
    SELECT x.symbol
    FROM symbol_daily_metrics AS x
    JOIN last_day ON last_day.day = x.metrics_date
)
SELECT
    count(e.symbol),
    count(f.symbol),
    count(*) FILTER (WHERE e.symbol IS NULL OR f.symbol IS NULL)
FROM expected AS e
FULL JOIN found AS f ON f.symbol = e.symbol
