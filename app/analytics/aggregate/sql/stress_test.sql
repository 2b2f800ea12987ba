-- What each scenario would do to the portfolios together, on each one's newest day that has results.
WITH newest AS (
    SELECT p.id, r.calculation_date
    FROM unnest(cast(:portfolios AS uuid[])) AS p (id)
    CROSS JOIN LATERAL (
        SELECT calculation_date
        FROM stress_test_results
        WHERE portfolio_id = p.id
        ORDER BY calculation_date DESC
        LIMIT 1
    ) AS r
),
results AS (
    SELECT DISTINCT ON (r.portfolio_id, r.scenario_id) r.portfolio_id, r.scenario_id, r.correlated_pnl
    FROM newest AS n
    JOIN stress_test_results AS r
        ON r.portfolio_id = n.id AND r.calculation_date = n.calculation_date
    ORDER BY r.portfolio_id, r.scenario_id, r.created_at DESC
)
SELECT
    s.scenario_id,
    s.name,
    coalesce(s.description, '') AS description,
    s.category,
    s.severity,
    sum(r.correlated_pnl)::float8 AS dollar_impact,
    count(DISTINCT r.portfolio_id) AS portfolios_included,
    (SELECT count(DISTINCT portfolio_id) FROM results) AS portfolios_with_data
FROM results AS r
JOIN stress_test_scenarios AS s ON s.id = r.scenario_id
GROUP BY s.id
ORDER BY s.category, s.name, s.scenario_id
