-- A portfolio's exposures to the spread factors on the newest day that has any.
WITH spreads AS (
    SELECT id, name, display_order
    FROM factor_definitions
    WHERE is_active
        AND (factor_type = 'spread' OR calculation_method IN ('spread_regression', 'OLS_SPREAD'))
),
newest AS (
    SELECT max(own.day) AS day
    FROM spreads AS s
    CROSS JOIN LATERAL (
        SELECT max(calculation_date) AS day
        FROM factor_exposures
        WHERE portfolio_id = :portfolio AND factor_id = s.id
    ) AS own
)
SELECT
    n.day,
    (SELECT count(*) FROM spreads) AS defined,
    s.name,
    e.exposure_value::float8 AS beta,
    e.exposure_dollar::float8 AS dollars
FROM newest AS n
CROSS JOIN spreads AS s
JOIN factor_exposures AS e
    ON e.portfolio_id = :portfolio AND e.factor_id = s.id AND e.calculation_date = n.day
ORDER BY s.display_order, s.name
