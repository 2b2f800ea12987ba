-- The live portfolios of some users, each with its newest snapshot. That snapshot is still of what
-- is held now where nothing was priced, bought, sold or paid since, and no position was written after
-- that day was computed: users correct what they hold, and enter what they bought before.
SELECT
    p.id::text AS id,
    u.email,
    p.name,
    p.is_active,
    p.equity_balance::float8 AS equity,
    s.snapshot_date,
    s.long_value::float8 AS long_value,
    s.short_value::float8 AS short_value,
    coalesce(NOT EXISTS (
        SELECT FROM positions AS h
        WHERE h.portfolio_id = p.id
            AND (
                h.entry_date > s.snapshot_date
                OR h.exit_date >= s.snapshot_date
                OR h.expiration_date = s.snapshot_date
                OR (h.deleted_at AT TIME ZONE 'UTC')::date >= s.snapshot_date
                OR greatest(h.created_at, h.updated_at) > (
                    SELECT l.recorded_at FROM ops.backfill_ledger AS l
                    WHERE l.portfolio_id = p.id AND l.calculation_date = s.snapshot_date
                )
                OR EXISTS (
                    SELECT FROM market_data_cache AS m
                    WHERE m.symbol = h.symbol AND m.date > s.snapshot_date
                )
                OR EXISTS (
                    SELECT FROM position_realized_events AS e
                    WHERE e.position_id = h.id AND e.trade_date >= s.snapshot_date
                )
            )
    ), false) AS is_current
FROM portfolios AS p
JOIN users AS u ON u.id = p.user_id
LEFT JOIN LATERAL (
    SELECT snapshot_date, long_value, short_value
    FROM portfolio_snapshots
    WHERE portfolio_id = p.id
    ORDER BY snapshot_date DESC
    LIMIT 1
) AS s ON true
WHERE u.email = ANY(%(emails)s) AND p.deleted_at IS NULL
ORDER BY u.email, p.name
