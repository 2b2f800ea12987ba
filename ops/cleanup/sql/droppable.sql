-- Whether this role may drop a database, seen from another one of its server.
SELECT d.oid::bigint, d.datistemplate,
    pg_catalog.pg_has_role(current_user, d.datdba, 'USAGE')
        OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
FROM pg_catalog.pg_database AS d
WHERE d.datname = %(database)s
