-- One page of a portfolio's open positions with their betas on the newest day that any has them;
-- one row without a position where the page is empty.
WITH held AS (
    SELECT p.id, p.symbol, own.day
    FROM positions AS p
    CROSS JOIN LATERAL (
        SELECT max(calculation_date) AS day
        FROM position_factor_exposures
        WHERE position_id = p.id
    ) AS own
    WHERE p.portfolio_id = :portfolio AND p.deleted_at IS NULL AND p.exit_date IS NULL
),
newest AS (
    SELECT max(day) AS day FROM held
),
matched AS (
    SELECT h.id, h.symbol
    FROM held AS h
    JOIN newest AS n ON n.day = h.day
    WHERE cast(:symbols AS text[]) IS NULL OR upper(h.symbol) = ANY(cast(:symbols AS text[]))
),
page AS (
    SELECT id, symbol FROM matched ORDER BY symbol, id LIMIT :limit OFFSET :offset
)
SELECT n.day, (SELECT count(*) FROM matched) AS total, p.id, p.symbol, b.betas
FROM newest AS n
LEFT JOIN page AS p ON true
LEFT JOIN LATERAL (
    SELECT json_object_agg(d.name, e.exposure_value::float8 ORDER BY d.display_order) AS betas
    FROM position_factor_exposures AS e
    JOIN factor_definitions AS d ON d.id = e.factor_id
    WHERE e.position_id = p.id AND e.calculation_date = n.day
) AS b ON true
ORDER BY p.symbol, p.id
