-- What a scratch database must be like to take a dump of this one. An extension that is not trusted
-- needs a superuser.
SELECT
    pg_encoding_to_char(encoding),
    datcollate,
    datctype,
    (SELECT array_agg(extname::text) FROM pg_extension),
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
    (SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user),
    EXISTS (
        SELECT FROM pg_extension AS e
        JOIN pg_available_extension_versions AS v ON v.name = e.extname AND v.version = e.extversion
        WHERE v.superuser AND NOT v.trusted
    )
FROM pg_database
WHERE datname = current_database()
