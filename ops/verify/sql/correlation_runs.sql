-- Correlation runs of the live portfolios in the range: how many, of how many symbols, and their pairs.
SELECT
    c.portfolio_id,
    (c.calculation_date AT TIME ZONE 'UTC')::date,
    count(*),
    sum(c.positions_included)::bigint,
    coalesce(sum(q.pairs), 0)::bigint
FROM correlation_calculations AS c
JOIN portfolios AS owner ON owner.id = c.portfolio_id
LEFT JOIN (
    SELECT correlation_calculation_id, count(*) AS pairs
    FROM pairwise_correlations
    GROUP BY correlation_calculation_id
) AS q ON q.correlation_calculation_id = c.id
WHERE owner.deleted_at IS NULL AND owner.is_active
    AND c.duration_days = 90
    AND (c.calculation_date AT TIME ZONE 'UTC')::date
        BETWEEN (%(days)s::date[])[1] AND (%(days)s::date[])[cardinality(%(days)s::date[])]
GROUP BY 1, 2
