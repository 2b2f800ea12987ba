-- The baseline is of this moment, when its tables were seen like this.
INSERT INTO ops.cutover_baseline_moment (recorded_at, seen, cutover)
SELECT clock_timestamp(), %(seen)s, max(id) FROM ops.cutovers
ON CONFLICT (only_row) DO UPDATE
SET recorded_at = excluded.recorded_at, seen = excluded.seen, cutover = excluded.cutover
