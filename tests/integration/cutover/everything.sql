-- Whatever a lock might leave behind, and whatever it might lose, as texts that can be compared.
SELECT 'relation ' || n.nspname || '.' || c.relname || ' ' || c.relkind::text || ' '
    || pg_get_userbyid(c.relowner) || ' '
    || coalesce((SELECT string_agg(a::text, ', ' ORDER BY a::text) FROM unnest(c.relacl) AS a), '-')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_'
UNION ALL
SELECT 'column ' || c.oid::regclass || '.' || a.attname || ' '
    || (SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(a.attacl) AS x)
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE a.attacl IS NOT NULL AND c.relnamespace >= 2200
UNION ALL
SELECT 'defaults ' || pg_get_userbyid(d.defaclrole) || ' ' || d.defaclnamespace || ' '
    || d.defaclobjtype::text || ' '
    || (SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(d.defaclacl) AS x)
FROM pg_default_acl AS d
UNION ALL
SELECT 'trigger ' || tgrelid::regclass || ' ' || tgenabled::text || ' ' || pg_get_triggerdef(oid)
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'schema ' || nspname || ' ' || coalesce(nspacl::text, '-') FROM pg_namespace
WHERE nspname !~ '^pg_(temp|toast_temp)'
UNION ALL
SELECT 'function ' || p.oid::regprocedure FROM pg_proc AS p WHERE p.oid >= 16384
UNION ALL
SELECT 'sequence ' || schemaname || '.' || sequencename || ' ' || coalesce(last_value::text, '-')
FROM pg_sequences
UNION ALL
SELECT 'depends on a role ' || count(*) FROM pg_shdepend
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1
