-- What lies around the tables of a database.
SELECT
    current_setting('server_version') AS server_version,
    pg_encoding_to_char(d.encoding) AS encoding,
    pg_database_size(d.oid) AS bytes,
    ARRAY(SELECT e.evtname::text FROM pg_event_trigger AS e ORDER BY 1) AS event_triggers,
    ARRAY(SELECT p.pubname::text FROM pg_publication AS p ORDER BY 1) AS publications,
    ARRAY(SELECT s.subname::text FROM pg_subscription AS s WHERE s.subdbid = d.oid ORDER BY 1)
        AS subscriptions,
    (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
    pg_is_in_recovery() AS follows,
    pg_backend_pid() = %(greeted_by)s AS direct
FROM pg_database AS d
WHERE d.datname = current_database()
