-- The newest backup of each database whose file was not removed.
SELECT DISTINCT ON (database) database, bytes, taken_at, restored_at
FROM ops.backups
WHERE removed_at IS NULL
ORDER BY database, taken_at DESC
