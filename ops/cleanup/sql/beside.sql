-- What a server holds beside the old database and what was made with it, seen by its superuser.
SELECT format('database %%s', datname)
FROM pg_catalog.pg_database
WHERE NOT datname = ANY (%(stock)s) AND oid::bigint <> %(legacy)s
  AND NOT starts_with(datname::text, %(scratch)s)
UNION ALL
SELECT format('role %%s', rolname)
FROM pg_catalog.pg_roles WHERE oid >= 16384 AND NOT rolname = ANY (%(roles)s)
UNION ALL
SELECT format('tablespace %%s', spcname) FROM pg_catalog.pg_tablespace WHERE oid >= 16384
UNION ALL
SELECT format('replication slot %%s', slot_name)
FROM pg_catalog.pg_replication_slots WHERE database IS NULL
UNION ALL
SELECT format('session %%s (%%s) of database %%s', pid, application_name, datname)
FROM pg_catalog.pg_stat_activity
WHERE usesysid IS NOT NULL AND datid <> %(legacy)s AND pid <> pg_backend_pid()
  AND backend_type = 'client backend' AND NOT starts_with(application_name, 'sigmasight ')
