-- The portfolios of the ledger, by their first day.
SELECT first, array_agg(portfolio_id ORDER BY portfolio_id)
FROM (
    SELECT portfolio_id, min(calculation_date) AS first
    FROM ops.backfill_ledger
    GROUP BY portfolio_id
) AS begun
GROUP BY first
