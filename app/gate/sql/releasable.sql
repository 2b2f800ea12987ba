-- Whether this database bears the lock of a hold that this role may take off; the catalogue alone is
-- asked, so that nobody who changes the lock has to wait.
SELECT count(*) > 0
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = 'sigmasight_release' AND p.proname = 'given_up'
    AND obj_description(n.oid, 'pg_namespace') = CAST(:hold AS text)
    AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')
