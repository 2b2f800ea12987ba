-- Which of our locks somebody holds right now: a run is under way.
SELECT name
FROM (VALUES ('phase'), ('rebuild')) AS lock (name)
WHERE EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('sigmasight ' || name, 0)
)
