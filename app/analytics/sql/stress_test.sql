-- What the scenarios asked for (all, where :scenarios is NULL) would do to a portfolio, on the newest
-- day that has any of them, and the value of the newest snapshot not after that day.
WITH asked AS (
    SELECT id, scenario_id, name, description, category, severity
    FROM stress_test_scenarios
    WHERE cast(:scenarios AS text[]) IS NULL OR scenario_id = ANY(cast(:scenarios AS text[]))
),
newest AS (
    SELECT calculation_date AS day
    FROM stress_test_results
    WHERE portfolio_id = :portfolio AND scenario_id = ANY(ARRAY(SELECT id FROM asked))
    ORDER BY calculation_date DESC
    LIMIT 1
),
results AS (
    SELECT DISTINCT ON (r.scenario_id) r.scenario_id, r.correlated_pnl
    FROM newest AS n
    JOIN stress_test_results AS r ON r.portfolio_id = :portfolio AND r.calculation_date = n.day
    ORDER BY r.scenario_id, r.created_at DESC
)
SELECT
    n.day,
    (
        SELECT total_value::float8
        FROM portfolio_snapshots
        WHERE portfolio_id = :portfolio AND snapshot_date <= n.day
        ORDER BY snapshot_date DESC
        LIMIT 1
    ) AS value,
    s.scenario_id,
    s.name,
    s.description,
    s.category,
    s.severity,
    r.correlated_pnl::float8 AS impact
FROM newest AS n
JOIN results AS r ON true
JOIN asked AS s ON s.id = r.scenario_id
ORDER BY s.category, s.name
