-- The rows of one file, until they are compared.
CREATE TEMPORARY TABLE new_prices (
    symbol text,
    date date,
    open numeric(12, 4),
    high numeric(12, 4),
    low numeric(12, 4),
    close numeric(12, 4),
    volume integer
) ON COMMIT DROP
