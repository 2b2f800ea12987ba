-- Where the account of who uses the old database began anew since the last swap: when, and why.
WITH windows AS (
    SELECT id, recorded_at, purpose
    FROM ops.legacy_access
    WHERE moment = 'window'
        AND recorded_at > (
            SELECT max(begun_at) FROM ops.cutovers WHERE kind = 'swap' AND state = 'done'
        )
)
SELECT recorded_at AS begun, purpose AS reason
FROM windows
WHERE id > (SELECT min(id) FROM windows)
ORDER BY id DESC
LIMIT 1
