-- A portfolio's daily returns over :days calendar days up to its newest snapshot, oldest first, each
-- row with the newest stored market beta not after that.
WITH newest AS (
    SELECT max(snapshot_date) AS day FROM portfolio_snapshots WHERE portfolio_id = :portfolio
),
market AS (
    SELECT e.exposure_value::float8 AS beta, e.calculation_date AS day
    FROM newest AS n
    JOIN factor_definitions AS d ON d.name = :market_beta
    JOIN factor_exposures AS e
        ON e.portfolio_id = :portfolio AND e.factor_id = d.id AND e.calculation_date <= n.day
    ORDER BY e.calculation_date DESC
    LIMIT 1
)
SELECT s.snapshot_date, s.daily_return::float8 AS daily_return, m.beta, m.day AS beta_day
FROM newest AS n
JOIN portfolio_snapshots AS s
    ON s.portfolio_id = :portfolio AND s.snapshot_date >= n.day - cast(:days AS integer)
LEFT JOIN market AS m ON true
ORDER BY s.snapshot_date
