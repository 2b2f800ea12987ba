-- Correlation runs of the live portfolios in the range: how many, of how many symbols, and their pairs,
-- which are looked up run by run: a join of all could become one pass over all of them for each run.
SELECT
    c.portfolio_id,
    (c.calculation_date AT TIME ZONE 'UTC')::date,
    count(*),
    sum(c.positions_included)::bigint,
    sum((
        SELECT count(*)
        FROM pairwise_correlations AS q
        WHERE q.correlation_calculation_id = c.id
    ))::bigint
FROM correlation_calculations AS c
JOIN portfolios AS owner ON owner.id = c.portfolio_id
WHERE owner.deleted_at IS NULL AND owner.is_active
    AND c.duration_days = 90
    AND (c.calculation_date AT TIME ZONE 'UTC')::date
        BETWEEN (%(days)s::date[])[1] AND (%(days)s::date[])[cardinality(%(days)s::date[])]
GROUP BY 1, 2
