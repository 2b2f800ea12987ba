-- Snapshots of the live portfolios in the range, against one per portfolio and trading day.
WITH expected AS (
    SELECT p.id AS portfolio_id, d.day
    FROM portfolios AS p
    CROSS JOIN unnest(%(days)s::date[]) AS d (day)
    WHERE p.deleted_at IS NULL AND p.is_active
),
found AS (
    SELECT s.portfolio_id, s.snapshot_date AS day, count(*) AS rows
    FROM portfolio_snapshots AS s
    JOIN portfolios AS p ON p.id = s.portfolio_id AND p.deleted_at IS NULL AND p.is_active
    WHERE s.snapshot_date BETWEEN (%(days)s::date[])[1]
        AND (%(days)s::date[])[cardinality(%(days)s::date[])]
    GROUP BY s.portfolio_id, s.snapshot_date
)
SELECT
    count(e.day),
    coalesce(sum(f.rows), 0),
    count(*) FILTER (WHERE f.day IS NULL),
    count(*) FILTER (WHERE e.day IS NULL)
FROM expected AS e
FULL JOIN found AS f USING (portfolio_id, day)
