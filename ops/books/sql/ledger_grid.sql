-- A letter for each of the given days of each live portfolio: done, failed, or no record. Those that
-- are not whole come first.
SELECT
    p.name,
    string_agg(
        CASE l.status WHEN 'done' THEN '■' WHEN 'failed' THEN '✗' ELSE '·' END, '' ORDER BY d.day
    ) AS days
FROM portfolios AS p
CROSS JOIN unnest(%(days)s::date[]) AS d (day)
LEFT JOIN ops.backfill_ledger AS l ON l.portfolio_id = p.id AND l.calculation_date = d.day
WHERE p.deleted_at IS NULL AND p.is_active
GROUP BY p.id, p.name
ORDER BY bool_and(l.status IS NOT DISTINCT FROM 'done'), p.name, p.id
LIMIT %(most)s
