-- The mean absolute correlation of the newest calculation over :days, each pair weighted by the
-- product of what is held of its two symbols now; NULL where no pair is held. The date is of UTC.
WITH newest AS (
    SELECT id, calculation_date
    FROM correlation_calculations
    WHERE portfolio_id = :portfolio AND duration_days = :days
    ORDER BY calculation_date DESC
    LIMIT 1
),
weights AS (
    SELECT symbol, weight
    FROM unnest(cast(:symbols AS text[]), cast(:weights AS float8[])) AS w (symbol, weight)
),
pairs AS (
    SELECT c.symbol_1, c.symbol_2, abs(c.correlation_value)::float8 AS correlation
    FROM newest AS n
    JOIN pairwise_correlations AS c ON c.correlation_calculation_id = n.id
    WHERE c.data_points >= :overlap AND c.correlation_value <> 'NaN'
)
SELECT
    n.id,
    (n.calculation_date AT TIME ZONE 'UTC')::date AS day,
    (SELECT count(DISTINCT symbol_1) FROM pairs) AS symbols,
    (
        SELECT sum(a.weight * b.weight * p.correlation) / nullif(sum(a.weight * b.weight), 0)
        FROM pairs AS p
        JOIN weights AS a ON a.symbol = p.symbol_1
        JOIN weights AS b ON b.symbol = p.symbol_2
        WHERE p.symbol_1 < p.symbol_2
    ) AS correlation
FROM newest AS n
