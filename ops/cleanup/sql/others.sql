-- Who uses a database, seen from another one of its server; background workers have no user.
SELECT format('session %%s of %%s (%%s)', pid, coalesce(usename, usesysid::text), application_name)
FROM pg_catalog.pg_stat_activity
WHERE datname = %(database)s AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
  AND (backend_type IS NULL OR backend_type <> 'parallel worker')
UNION ALL
SELECT format('prepared transaction %%s', gid)
FROM pg_catalog.pg_prepared_xacts WHERE database = %(database)s
UNION ALL
SELECT format('replication slot %%s', slot_name)
FROM pg_catalog.pg_replication_slots WHERE database = %(database)s
UNION ALL
-- A disabled one, too, holds its database.
SELECT format('subscription %%s', subname)
FROM pg_catalog.pg_subscription AS s JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid
WHERE d.datname = %(database)s
