SELECT
    (SELECT count(*) FROM users) AS users,
    (SELECT count(*) FROM portfolios) AS portfolios,
    (SELECT count(*) FROM portfolios WHERE deleted_at IS NULL AND is_active) AS live,
    (SELECT count(*) FROM positions) AS positions,
    (SELECT count(*) FROM factor_definitions) AS factors,
    (SELECT max(recorded_at) FROM ops.starting_capital) AS moment
