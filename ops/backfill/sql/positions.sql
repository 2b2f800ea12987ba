-- The positions of the given portfolios, with the last day on which each one counts: the day of
-- its exit, of its deletion, or, for an option, of its expiration.
SELECT
    id,
    portfolio_id,
    symbol,
    position_type::text,
    coalesce(investment_class, 'PUBLIC'),
    coalesce(nullif(underlying_symbol, ''), symbol) AS volatility_symbol,
    quantity::float8,
    entry_price::float8,
    entry_date,
    least(
        exit_date,
        (deleted_at AT TIME ZONE 'UTC')::date,
        CASE WHEN investment_class = 'OPTIONS' THEN expiration_date END
    ) AS last_open_day,
    CASE WHEN exit_date <= coalesce((deleted_at AT TIME ZONE 'UTC')::date, exit_date)
        THEN exit_date END AS exit_date,
    exit_price::float8,
    market_value::float8
FROM positions
WHERE portfolio_id = ANY(%(portfolios)s)
ORDER BY portfolio_id, symbol, entry_date, id
