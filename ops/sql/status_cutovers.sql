SELECT id, kind, state, step, held_seconds, reason, begun_at, ended_at, accepted_loss
FROM ops.cutovers
ORDER BY id DESC
LIMIT 50
