-- From which day to which each portfolio was computed; of symbols, which bear no id, the batch keeps
-- the last day alone.
SELECT portfolio_id::text, min(calculation_date)::text, max(calculation_date)::text
FROM ops.backfill_ledger
WHERE status = 'done'
GROUP BY portfolio_id
UNION ALL
SELECT '', max(calculation_date)::text, max(calculation_date)::text
FROM ops.backfill_ledger
WHERE status = 'done'
