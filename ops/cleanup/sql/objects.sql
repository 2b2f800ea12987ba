-- What was made in a database that a server has from its birth.
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_'
UNION ALL
SELECT format('schema %I', nspname)
FROM pg_catalog.pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_'
UNION ALL
SELECT format('function %s', oid::regprocedure) FROM pg_catalog.pg_proc WHERE oid >= 16384
UNION ALL
SELECT format('large object %s', oid) FROM pg_catalog.pg_largeobject_metadata
