-- The newest correlations over :days, a row per symbol: the :most symbols that weigh most of the
-- book (:held, largest first), then others by name. Pairs that rest on fewer than :overlap common
-- returns are left out. One row without a symbol where no pair serves; the date is of UTC.
WITH newest AS (
    SELECT id, calculation_date, overall_correlation, positions_included
    FROM correlation_calculations
    WHERE portfolio_id = :portfolio AND duration_days = :days
    ORDER BY calculation_date DESC
    LIMIT 1
),
pairs AS (
    SELECT c.symbol_1, c.symbol_2, c.correlation_value, c.data_points
    FROM newest AS n
    JOIN pairwise_correlations AS c ON c.correlation_calculation_id = n.id
    WHERE c.data_points >= :overlap AND c.correlation_value <> 'NaN'
),
ranked AS (
    SELECT s.symbol, array_position(cast(:held AS text[]), s.symbol) AS place
    FROM (SELECT DISTINCT symbol_1::text AS symbol FROM pairs) AS s
    ORDER BY place NULLS LAST, symbol
    LIMIT :most
)
SELECT
    (n.calculation_date AT TIME ZONE 'UTC')::date AS day,
    n.overall_correlation::float8 AS average,
    n.positions_included,
    m.symbol,
    m.data_points,
    m.correlations
FROM newest AS n
LEFT JOIN (
    SELECT
        a.symbol,
        a.place,
        max(p.data_points) AS data_points,
        json_object_agg(p.symbol_2, p.correlation_value::float8) AS correlations
    FROM ranked AS a
    JOIN pairs AS p ON p.symbol_1 = a.symbol
    JOIN ranked AS b ON b.symbol = p.symbol_2
    GROUP BY a.symbol, a.place
) AS m ON true
ORDER BY m.place NULLS LAST, m.symbol
