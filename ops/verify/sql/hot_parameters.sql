-- Values that occur in the data, to ask the hot queries with; any other where there is none yet.
SELECT
    coalesce(
        (SELECT portfolio_id FROM portfolio_snapshots ORDER BY snapshot_date DESC LIMIT 1),
        gen_random_uuid()
    ) AS portfolio,
    coalesce((SELECT position_id FROM position_factor_exposures LIMIT 1), gen_random_uuid())
        AS position,
    coalesce((SELECT factor_id FROM position_factor_exposures LIMIT 1), gen_random_uuid())
        AS factor,
    coalesce((SELECT id FROM correlation_calculations LIMIT 1), gen_random_uuid()) AS calculation,
    coalesce(
        (SELECT array_agg(symbol) FROM (
            SELECT DISTINCT symbol::text FROM positions ORDER BY 1 LIMIT 20
        ) AS held),
        ARRAY['SPY']
    ) AS symbols
