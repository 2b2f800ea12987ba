-- Values that occur in the data, to ask the hot queries with.
SELECT
    (SELECT portfolio_id FROM portfolio_snapshots ORDER BY snapshot_date DESC LIMIT 1) AS portfolio,
    (SELECT position_id FROM position_factor_exposures LIMIT 1) AS position,
    (SELECT factor_id FROM position_factor_exposures LIMIT 1) AS factor,
    (SELECT id FROM correlation_calculations LIMIT 1) AS calculation,
    ARRAY(SELECT DISTINCT symbol::text FROM positions ORDER BY 1 LIMIT 20) AS symbols
