-- The portfolios that a batch would compute, from its first day on; and symbols, of which it keeps
-- the last day alone.
SELECT lower(p.id::text), %(first)s, '9999-12-31'
FROM portfolios AS p
CROSS JOIN to_jsonb(p) AS said
WHERE said ->> 'deleted_at' IS NULL AND coalesce((said ->> 'is_active')::boolean, true)
UNION ALL
SELECT '', %(last)s, '9999-12-31'
