INSERT INTO ops.copy_fingerprints (
    table_name, source_rows, accepted_rows, source_hash, core_hash, source_seen, core_seen, proved,
    proved_seen
)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (table_name) DO UPDATE SET
    source_rows = excluded.source_rows,
    accepted_rows = excluded.accepted_rows,
    source_hash = excluded.source_hash,
    core_hash = excluded.core_hash,
    source_seen = excluded.source_seen,
    core_seen = excluded.core_seen,
    proved = excluded.proved,
    proved_seen = excluded.proved_seen,
    copied_at = now()
