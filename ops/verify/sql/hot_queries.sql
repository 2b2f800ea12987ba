-- What the backend asks most often: each block must be answered through an index, at ten times the
-- rows too. A block starts with its name; the parameters come from verify_hot_parameters.sql.

-- latest snapshot of a portfolio --
SELECT *
FROM portfolio_snapshots
WHERE portfolio_id = %(portfolio)s
ORDER BY snapshot_date DESC
LIMIT 1

-- snapshots of a portfolio in a range --
SELECT snapshot_date, equity_balance
FROM portfolio_snapshots
WHERE portfolio_id = %(portfolio)s AND snapshot_date BETWEEN %(first)s AND %(last)s
ORDER BY snapshot_date

-- exposures of a position on a day --
SELECT factor_id, exposure_value
FROM position_factor_exposures
WHERE position_id = %(position)s AND calculation_date = %(last)s

-- newest exposures of a position --
SELECT factor_id, exposure_value
FROM position_factor_exposures
WHERE position_id = %(position)s
ORDER BY calculation_date DESC
LIMIT 10

-- exposures to a factor on a day --
SELECT position_id, exposure_value
FROM position_factor_exposures
WHERE factor_id = %(factor)s AND calculation_date = %(last)s

-- prices of some symbols up to a day --
SELECT symbol, date, close
FROM market_data_cache
WHERE symbol = ANY(%(symbols)s)
    AND date > %(last)s::date - 10 AND date <= %(last)s

-- latest valid price of a symbol --
SELECT date, close
FROM market_data_cache
WHERE symbol = (%(symbols)s::text[])[1] AND date <= %(last)s AND close > 0
ORDER BY date DESC
LIMIT 1

-- active positions of a portfolio --
SELECT *
FROM positions
WHERE portfolio_id = %(portfolio)s AND deleted_at IS NULL AND exit_date IS NULL

-- latest correlations of a portfolio --
SELECT id, overall_correlation
FROM correlation_calculations
WHERE portfolio_id = %(portfolio)s AND duration_days = 90
ORDER BY calculation_date DESC
LIMIT 1

-- pairs of a correlation run --
SELECT symbol_1, symbol_2, correlation_value
FROM pairwise_correlations
WHERE correlation_calculation_id = %(calculation)s
