-- What a portfolio has realised over its life, and what its snapshots of the newest year and month
-- have earned. Realised: what was booked, and exits that nothing was booked for, on the batch's rule.
WITH newest AS (
    SELECT max(snapshot_date) AS day FROM portfolio_snapshots WHERE portfolio_id = :portfolio
),
earned AS (
    SELECT
        sum(s.daily_pnl) AS year,
        sum(s.daily_pnl) FILTER (WHERE s.snapshot_date >= date_trunc('month', n.day)) AS month
    FROM newest AS n
    JOIN portfolio_snapshots AS s
        ON s.portfolio_id = :portfolio AND s.snapshot_date >= date_trunc('year', n.day)
),
booked AS (
    SELECT sum(realized_pnl) AS gain FROM position_realized_events WHERE portfolio_id = :portfolio
),
unbooked AS (
    SELECT sum(
        (p.exit_price - p.entry_price) * p.quantity
        * CASE WHEN p.position_type IN ('LC', 'LP', 'SC', 'SP') THEN 100 ELSE 1 END
    ) AS gain
    FROM positions AS p
    WHERE p.portfolio_id = :portfolio
        AND p.exit_date <= coalesce((p.deleted_at AT TIME ZONE 'UTC')::date, p.exit_date)
        AND p.exit_price IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM position_realized_events AS e
            WHERE e.position_id = p.id AND e.trade_date >= p.exit_date
        )
)
SELECT
    coalesce(booked.gain, 0)::float8 + coalesce(unbooked.gain, 0)::float8 AS realized,
    coalesce(earned.year, 0)::float8 AS ytd,
    coalesce(earned.month, 0)::float8 AS mtd
FROM booked, unbooked, earned
