-- What each portfolio's newest snapshot says of beta and volatility.
SELECT
    p.id AS portfolio_id,
    coalesce(s.beta_calculated_90d, s.beta_provider_1y)::float8 AS beta,
    s.realized_volatility_21d::float8 AS volatility
FROM unnest(cast(:portfolios AS uuid[])) AS p (id)
CROSS JOIN LATERAL (
    SELECT *
    FROM portfolio_snapshots
    WHERE portfolio_id = p.id
    ORDER BY snapshot_date DESC
    LIMIT 1
) AS s
