-- Positions of portfolios that may be closed: exited ones, and all that can expire. Those among them
-- that are no open holdings are. The price is that of the exit, else the last mark.
SELECT
    id,
    portfolio_id,
    symbol,
    position_type::text AS position_type,
    coalesce(investment_class, 'PUBLIC') AS investment_class,
    investment_subtype,
    underlying_symbol,
    quantity::float8 AS quantity,
    entry_price::float8 AS entry_price,
    entry_date,
    strike_price::float8 AS strike_price,
    expiration_date,
    coalesce(exit_price, last_price)::float8 AS price,
    exit_date AS price_date
FROM positions
WHERE portfolio_id = ANY(cast(:portfolios AS uuid[])) AND deleted_at IS NULL
    AND (exit_date IS NOT NULL OR expiration_date IS NOT NULL)
