-- What is known of the listed symbols that a portfolio holds.
SELECT
    count(*) AS symbols,
    count(*) FILTER (WHERE has_profile) AS profiled,
    count(*) FILTER (WHERE newest IS NOT NULL) AS priced,
    count(*) FILTER (WHERE newest >= cast(:recent AS date)) AS fresh,
    coalesce(
        array_agg(symbol ORDER BY symbol) FILTER (
            WHERE newest IS NULL OR newest < cast(:recent AS date)
        ),
        '{}'
    ) AS stale
FROM (
    SELECT
        p.symbol,
        EXISTS (SELECT FROM company_profiles AS c WHERE c.symbol = p.symbol) AS has_profile,
        (
            SELECT max(m.date)
            FROM market_data_cache AS m
            WHERE m.symbol = p.symbol AND m.close > 0 AND m.close < 'Infinity'
        ) AS newest
    FROM (
        SELECT DISTINCT symbol
        FROM positions
        WHERE portfolio_id = :portfolio
            AND deleted_at IS NULL
            AND exit_date IS NULL
            AND coalesce(investment_class, 'PUBLIC') = 'PUBLIC'
    ) AS p
) AS held
