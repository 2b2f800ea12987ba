-- How many betas there are, and how many of each table are beyond the cap.
WITH counted AS (
    SELECT 1 AS place, count(*) AS betas,
        count(*) FILTER (WHERE abs(exposure_value) > %(cap)s) AS beyond
    FROM position_factor_exposures
    UNION ALL
    SELECT 2, count(*), count(*) FILTER (WHERE abs(beta) > %(cap)s)
    FROM position_market_betas
    UNION ALL
    SELECT 3, count(*), count(*) FILTER (WHERE abs(ir_beta) > %(cap)s)
    FROM position_interest_rate_betas
    UNION ALL
    SELECT 4, count(*), count(*) FILTER (WHERE abs(beta_value) > %(cap)s)
    FROM symbol_factor_exposures
)
SELECT
    sum(betas)::bigint,
    sum(beyond) FILTER (WHERE place = 1)::bigint,
    sum(beyond) FILTER (WHERE place = 2)::bigint,
    sum(beyond) FILTER (WHERE place = 3)::bigint,
    sum(beyond) FILTER (WHERE place = 4)::bigint
FROM counted
