-- Whether whoever began a trial is in this database too: there he holds an advisory lock whose key
-- is the beginning of the trial's digest.
SELECT count(*) > 0
FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND (CAST(classid AS bigint) << 32 | CAST(objid AS bigint))
    = CAST(CAST('x' || left(:digest, 16) AS bit(64)) AS bigint)
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
