-- A user's live portfolios, oldest first, each with the value of its newest snapshot.
SELECT
    p.id,
    p.user_id,
    p.name,
    p.account_name,
    p.account_type,
    p.description,
    p.currency,
    p.equity_balance,
    p.is_active,
    p.created_at,
    p.updated_at,
    p.deleted_at,
    s.total_value AS snapshot_value
FROM portfolios AS p
LEFT JOIN LATERAL (
    SELECT total_value
    FROM portfolio_snapshots
    WHERE portfolio_id = p.id
    ORDER BY snapshot_date DESC
    LIMIT 1
) AS s ON true
WHERE p.user_id = :user_id AND p.deleted_at IS NULL
    AND (cast(:inactive_too AS boolean) OR p.is_active)
    AND (cast(:portfolio_id AS uuid) IS NULL OR p.id = cast(:portfolio_id AS uuid))
ORDER BY p.created_at, p.id
