-- The ledger of the live portfolios in the range, against one `done` per portfolio and trading day.
SELECT
    count(*),
    count(*) FILTER (WHERE l.status = 'done'),
    count(*) FILTER (WHERE l.status = 'failed'),
    count(*) FILTER (WHERE l.status IS NULL),
    (array_agg(
        format('%%s %%s: %%s', p.name, d.day, coalesce(l.reason, 'not recorded'))
        ORDER BY d.day, p.name
    ) FILTER (WHERE l.status IS DISTINCT FROM 'done'))[1]
FROM portfolios AS p
CROSS JOIN unnest(%(days)s::date[]) AS d (day)
LEFT JOIN ops.backfill_ledger AS l ON l.portfolio_id = p.id AND l.calculation_date = d.day
WHERE p.deleted_at IS NULL AND p.is_active
