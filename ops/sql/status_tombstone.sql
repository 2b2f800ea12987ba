SELECT state, step, begun_at, ended_at FROM ops.tombstones ORDER BY id DESC LIMIT 1
