-- A portfolio's exposures to style and macro factors on one day: with :complete the newest day that
-- has all of them if there is one, else the newest day with any. Legacy databases call the spreads
-- styles too; their method tells them apart.
WITH RECURSIVE wanted AS (
    SELECT id, name, calculation_method, display_order
    FROM factor_definitions
    WHERE is_active
        AND factor_type IN ('style', 'macro')
        AND calculation_method IS DISTINCT FROM 'spread_regression'
),
-- Back to the day on which the factor that ends first ends, from there on again, until all agree;
-- NULL where one runs out. A few index probes, however long the history.
agreed AS (
    SELECT cast('infinity' AS date) AS day
    UNION
    SELECT earliest.day
    FROM agreed AS a
    CROSS JOIN LATERAL (
        SELECT CASE WHEN count(*) = count(own.day) THEN min(own.day) END AS day
        FROM wanted AS w
        CROSS JOIN LATERAL (
            SELECT max(calculation_date) AS day
            FROM factor_exposures
            WHERE portfolio_id = :portfolio AND factor_id = w.id AND calculation_date <= a.day
        ) AS own
    ) AS earliest
    WHERE a.day IS NOT NULL
),
newest AS (
    SELECT max(own.day) AS day
    FROM wanted AS w
    CROSS JOIN LATERAL (
        SELECT max(calculation_date) AS day
        FROM factor_exposures
        WHERE portfolio_id = :portfolio AND factor_id = w.id
    ) AS own
),
chosen AS MATERIALIZED (
    SELECT
        n.day AS newest,
        CASE WHEN cast(:complete AS boolean) AND NOT (SELECT bool_or(day IS NULL) FROM agreed)
            THEN (SELECT min(day) FROM agreed)
            ELSE n.day
        END AS day
    FROM newest AS n
)
SELECT
    c.day,
    c.newest,
    (SELECT count(*) FROM wanted) AS defined,
    w.calculation_method,
    w.name,
    e.exposure_value::float8 AS beta,
    e.exposure_dollar::float8 AS dollars
FROM chosen AS c
CROSS JOIN wanted AS w
JOIN factor_exposures AS e
    ON e.portfolio_id = :portfolio AND e.factor_id = w.id AND e.calculation_date = c.day
ORDER BY w.display_order, w.name
