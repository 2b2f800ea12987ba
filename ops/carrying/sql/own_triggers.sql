-- Triggers of tables that are neither ours nor of a key.
SELECT t.tgname::text
FROM pg_trigger AS t
JOIN pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE t.tgrelid = ANY(%(oids)s) AND NOT t.tgisinternal AND n.nspname <> 'sigmasight_cutover'
ORDER BY 1
