-- The weighted mean of the portfolios' betas to each factor, as of each portfolio's newest snapshot.
-- A portfolio without a beta to a factor is left out of that factor's mean.
WITH newest AS (
    SELECT p.id, p.weight, s.snapshot_date
    FROM unnest(cast(:portfolios AS uuid[]), cast(:weights AS float8[])) AS p (id, weight)
    CROSS JOIN LATERAL (
        SELECT snapshot_date
        FROM portfolio_snapshots
        WHERE portfolio_id = p.id
        ORDER BY snapshot_date DESC
        LIMIT 1
    ) AS s
)
SELECT
    f.name,
    concat_ws(' - ', f.etf_proxy, f.description) AS meaning,
    sum(e.exposure_value::float8 * n.weight) / nullif(sum(n.weight), 0) AS beta
FROM newest AS n
JOIN factor_definitions AS f ON f.is_active
JOIN factor_exposures AS e
    ON e.portfolio_id = n.id AND e.factor_id = f.id AND e.calculation_date = n.snapshot_date
GROUP BY f.id
ORDER BY f.display_order, f.name
