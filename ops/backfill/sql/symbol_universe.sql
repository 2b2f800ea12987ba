-- Every symbol that was ever held as a listed stock or fund; active while a live portfolio holds it.
WITH held AS (
    SELECT
        p.symbol,
        p.entry_date,
        least(p.exit_date, (p.deleted_at AT TIME ZONE 'UTC')::date) AS last_day,
        f.deleted_at IS NULL AND f.is_active AS live
    FROM positions AS p
    JOIN portfolios AS f ON f.id = p.portfolio_id
    WHERE coalesce(p.investment_class, 'PUBLIC') = 'PUBLIC'
        AND p.position_type IN ('LONG', 'SHORT')
        AND p.entry_date <= %(day)s
),
given_up AS (
    UPDATE symbol_universe SET is_active = false, updated_at = now()
    WHERE is_active AND symbol NOT IN (SELECT symbol FROM held)
)
INSERT INTO symbol_universe (
    symbol, asset_type, sector, industry, first_seen_date, last_seen_date, is_active,
    created_at, updated_at
)
SELECT
    held.symbol,
    'equity',
    max(c.sector),
    max(c.industry),
    min(held.entry_date),
    max(least(held.last_day, %(day)s::date)),
    bool_or(held.live AND coalesce(held.last_day >= %(day)s, true)),
    now(),
    now()
FROM held
LEFT JOIN company_profiles AS c ON c.symbol = held.symbol
GROUP BY held.symbol
ON CONFLICT (symbol) DO UPDATE SET
    sector = excluded.sector,
    industry = excluded.industry,
    first_seen_date = excluded.first_seen_date,
    last_seen_date = excluded.last_seen_date,
    is_active = excluded.is_active,
    updated_at = now()
WHERE (
    symbol_universe.sector, symbol_universe.industry, symbol_universe.first_seen_date,
    symbol_universe.last_seen_date, symbol_universe.is_active
) IS DISTINCT FROM (
    excluded.sector, excluded.industry, excluded.first_seen_date, excluded.last_seen_date,
    excluded.is_active
)
