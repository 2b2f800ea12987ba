-- Every symbol that was ever held as a listed stock or fund; active while somebody holds it.
INSERT INTO symbol_universe (
    symbol, asset_type, sector, industry, first_seen_date, last_seen_date, is_active,
    created_at, updated_at
)
SELECT
    p.symbol,
    'equity',
    max(c.sector),
    max(c.industry),
    min(p.entry_date),
    max(least(p.exit_date, (p.deleted_at AT TIME ZONE 'UTC')::date, %(day)s::date)),
    bool_or(
        coalesce(p.exit_date >= %(day)s, true)
        AND coalesce((p.deleted_at AT TIME ZONE 'UTC')::date >= %(day)s, true)
    ),
    now(),
    now()
FROM positions AS p
LEFT JOIN company_profiles AS c ON c.symbol = p.symbol
WHERE coalesce(p.investment_class, 'PUBLIC') = 'PUBLIC'
    AND p.position_type IN ('LONG', 'SHORT')
    AND p.entry_date <= %(day)s
GROUP BY p.symbol
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
