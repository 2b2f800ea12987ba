-- What legacy showed first of each portfolio within its span: the first copied snapshot with positions
-- that is not computed yet; of a portfolio without one, beside others that have some, the equity that
-- it declares, as of the newest of theirs.
WITH asked AS (
    SELECT *
    FROM unnest(%(portfolios)s::uuid[], %(after)s::date[], %(until)s::date[])
        AS asked (portfolio_id, after, until)
),
shown AS (
    SELECT s.portfolio_id, s.snapshot_date, coalesce(s.equity_balance, s.total_value) AS equity
    FROM portfolio_snapshots AS s
    WHERE s.num_positions > 0
        AND s.is_complete
        AND NOT EXISTS (
            SELECT FROM ops.backfill_ledger AS l
            WHERE l.portfolio_id = s.portfolio_id AND l.calculation_date = s.snapshot_date
        )
),
first_shown AS (
    SELECT DISTINCT ON (s.portfolio_id) s.*, a.after
    FROM asked AS a
    JOIN shown AS s
        ON s.portfolio_id = a.portfolio_id
        AND s.snapshot_date > a.after
        AND s.snapshot_date <= a.until
    ORDER BY s.portfolio_id, s.snapshot_date
),
newest AS (
    SELECT a.after, a.until, max(s.snapshot_date) AS day
    FROM (SELECT DISTINCT after, until FROM asked) AS a
    JOIN shown AS s ON s.snapshot_date > a.after AND s.snapshot_date <= a.until
    GROUP BY a.after, a.until
)
SELECT
    f.portfolio_id,
    f.snapshot_date,
    f.equity::float8,
    true AS is_snapshot,
    EXISTS (
        SELECT FROM portfolio_snapshots AS s
        WHERE s.portfolio_id = f.portfolio_id AND s.snapshot_date = f.after
    ) AS follows
FROM first_shown AS f
UNION ALL
SELECT p.id, newest.day, p.equity_balance::float8, false, false
FROM asked AS a
JOIN portfolios AS p ON p.id = a.portfolio_id
JOIN ops.copied_keys AS k ON k.table_name = 'portfolios' AND k.key = p.id
JOIN newest ON (newest.after, newest.until) = (a.after, a.until)
WHERE p.equity_balance IS NOT NULL
    AND NOT EXISTS (SELECT FROM portfolio_snapshots AS s WHERE s.portfolio_id = p.id)
    AND NOT EXISTS (SELECT FROM ops.backfill_ledger AS l WHERE l.portfolio_id = p.id)
