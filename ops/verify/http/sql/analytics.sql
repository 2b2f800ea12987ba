-- What the batch left for the analytics of each portfolio: a column per endpoint, named like its
-- path, that says whether the rows are there which it shows; and the figures to be found in it.
WITH asked AS (
    SELECT unnest(%(portfolios)s::uuid[]) AS id
),
exposed AS (
    SELECT
        e.portfolio_id,
        count(*) FILTER (WHERE NOT f.is_spread) AS styles,
        count(*) FILTER (WHERE f.is_spread) AS spreads
    FROM factor_exposures AS e
    JOIN (
        SELECT id, factor_type = 'spread' OR coalesce(calculation_method, '') LIKE '%%pread%%'
            AS is_spread
        FROM factor_definitions
        WHERE is_active AND factor_type IN ('style', 'macro', 'spread')
    ) AS f ON f.id = e.factor_id
    WHERE e.portfolio_id = ANY(%(portfolios)s::uuid[])
    GROUP BY e.portfolio_id
),
correlated AS (
    SELECT DISTINCT ON (c.portfolio_id)
        c.portfolio_id,
        c.overall_correlation,
        (SELECT count(DISTINCT symbol_1) FROM pairwise_correlations AS q
            WHERE q.correlation_calculation_id = c.id) AS symbols,
        (SELECT count(DISTINCT h.symbol) FROM positions AS h
            JOIN pairwise_correlations AS q
                ON q.correlation_calculation_id = c.id AND q.symbol_1 = h.symbol
            WHERE h.portfolio_id = c.portfolio_id
                AND h.deleted_at IS NULL AND h.exit_date IS NULL) AS held
    FROM correlation_calculations AS c
    WHERE c.portfolio_id = ANY(%(portfolios)s::uuid[]) AND c.duration_days = 90
    ORDER BY c.portfolio_id, c.calculation_date DESC
),
stressed AS (
    SELECT DISTINCT ON (portfolio_id)
        portfolio_id, calculation_date, count(DISTINCT scenario_id) AS scenarios
    FROM stress_test_results
    WHERE portfolio_id = ANY(%(portfolios)s::uuid[])
    GROUP BY portfolio_id, calculation_date
    ORDER BY portfolio_id, calculation_date DESC
),
shown AS (
    SELECT a.id, v.*, b.*, w.*
    FROM asked AS a
    LEFT JOIN LATERAL (
        SELECT realized_volatility_21d::float8 AS volatility
        FROM portfolio_snapshots
        WHERE portfolio_id = a.id AND realized_volatility_21d IS NOT NULL
        ORDER BY snapshot_date DESC LIMIT 1
    ) AS v ON true
    LEFT JOIN LATERAL (
        SELECT beta_calculated_90d::float8 AS calculated
        FROM portfolio_snapshots
        WHERE portfolio_id = a.id AND beta_calculated_90d IS NOT NULL
        ORDER BY snapshot_date DESC LIMIT 1
    ) AS b ON true
    LEFT JOIN LATERAL (
        SELECT beta_provider_1y::float8 AS provided
        FROM portfolio_snapshots
        WHERE portfolio_id = a.id AND beta_provider_1y IS NOT NULL
        ORDER BY snapshot_date DESC LIMIT 1
    ) AS w ON true
)
SELECT
    a.id::text AS portfolio,
    coalesce(e.styles, 0) > 0 AS "factor-exposures",
    coalesce(e.spreads, 0) > 0 AS "spread-factors",
    EXISTS (
        SELECT FROM positions AS h
        JOIN position_factor_exposures AS x ON x.position_id = h.id
        WHERE h.portfolio_id = a.id AND h.deleted_at IS NULL AND h.exit_date IS NULL
    ) AS "positions/factor-exposures",
    coalesce(c.symbols, 0) > 0 AS "correlation-matrix",
    coalesce(c.held, 0) > 1 AS "diversification-score",
    coalesce(t.scenarios, 0) > 0 AS "stress-test",
    a.volatility IS NOT NULL AS "volatility",
    a.calculated IS NOT NULL AS "beta-calculated-90d",
    a.provided IS NOT NULL AS "beta-provider-1y",
    a.calculated IS NOT NULL AS "market-beta",
    EXISTS (
        SELECT FROM positions AS h
        JOIN position_market_betas AS x ON x.position_id = h.id
        WHERE h.portfolio_id = a.id AND h.deleted_at IS NULL AND h.exit_date IS NULL
    ) AS "beta-comparison",
    (SELECT count(*) FROM portfolio_snapshots AS s WHERE s.portfolio_id = a.id) > 30
        AS "risk-metrics",
    a.volatility AS "volatility data.realized_volatility_21d",
    a.calculated AS "beta-calculated-90d data.beta_calculated_90d",
    a.provided AS "beta-provider-1y data.beta_provider_1y",
    c.overall_correlation::float8 AS "correlation-matrix data.average_correlation"
FROM shown AS a
LEFT JOIN exposed AS e ON e.portfolio_id = a.id
LEFT JOIN correlated AS c ON c.portfolio_id = a.id
LEFT JOIN stressed AS t ON t.portfolio_id = a.id
