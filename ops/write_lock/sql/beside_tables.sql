-- What of a database can be written to that no trigger on a table sees.
SELECT 'subscription ' || s.subname AS name
FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid
WHERE d.datname = current_database() AND s.subenabled
UNION ALL
SELECT 'large objects (' || count(*) || ')' FROM pg_largeobject_metadata HAVING count(*) > 0
ORDER BY name
