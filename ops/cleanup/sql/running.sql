-- Which of the phases' locks are held in this database by another session.
SELECT name
FROM unnest(%(names)s::text[]) AS name
JOIN pg_catalog.pg_locks AS held
  ON held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
 AND (held.classid::bigint << 32) | held.objid::bigint = hashtextextended('sigmasight ' || name, 0)
WHERE held.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
