-- By table, its triggers that are neither ours nor of a key.
SELECT t.tgrelid::bigint, array_agg(t.tgname::text ORDER BY t.tgname)
FROM pg_trigger AS t
JOIN pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE t.tgrelid = ANY(%(oids)s) AND NOT t.tgisinternal AND n.nspname <> 'sigmasight_cutover'
GROUP BY 1
