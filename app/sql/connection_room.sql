-- How many connections the role may open here, and the process that answers.
SELECT
    pg_backend_pid() AS process,
    least(
        cast(current_setting('max_connections') AS integer)
        - cast(current_setting('superuser_reserved_connections') AS integer)
        - coalesce(cast(current_setting('reserved_connections', true) AS integer), 0),
        nullif(r.rolconnlimit, -1),
        nullif(d.datconnlimit, -1)
    ) AS room
FROM pg_roles AS r, pg_database AS d
WHERE r.rolname = current_user AND d.datname = current_database()
