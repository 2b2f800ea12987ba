-- The newest market beta of each position asked for, beside the data provider's; in the order asked.
SELECT
    b.beta::float8 AS calculated,
    b.r_squared::float8 AS r_squared,
    b.calc_date,
    b.observations,
    c.beta::float8 AS provided
FROM unnest(cast(:ids AS uuid[]), cast(:symbols AS text[]))
    WITH ORDINALITY AS h (id, symbol, place)
LEFT JOIN LATERAL (
    SELECT beta, r_squared, calc_date, observations
    FROM position_market_betas
    WHERE position_id = h.id
    ORDER BY calc_date DESC
    LIMIT 1
) AS b ON true
LEFT JOIN company_profiles AS c ON c.symbol = h.symbol
ORDER BY h.place
