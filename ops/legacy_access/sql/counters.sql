-- What a server counts of a database's use, from its catalogue alone. An autovacuum and an analyze
-- move none of the tables' counters, and neither is a session.
SELECT jsonb_build_object(
    'session', pg_backend_pid(),
    'follows', pg_is_in_recovery(),
    'postmaster_started', pg_postmaster_start_time(),
    -- After an unclean stop all statistics are thrown away, and this becomes the time of recovery.
    'server_reset', (SELECT stats_reset FROM pg_stat_bgwriter),
    'database_reset', d.stats_reset,
    -- Counted since PostgreSQL 14.
    'sessions', coalesce((to_jsonb(d) ->> 'sessions')::bigint, 0),
    'rollbacks', d.xact_rollback,
    'standbys', (SELECT count(*) FROM pg_stat_replication),
    'tables', (
        SELECT coalesce(
            jsonb_object_agg(
                format('%I.%I', t.schemaname, t.relname),
                jsonb_build_object(
                    'oid', t.relid::bigint,
                    'scans', t.seq_scan + coalesce(t.idx_scan, 0),
                    'rows_read', t.seq_tup_read + coalesce(t.idx_tup_fetch, 0),
                    'writes', t.n_tup_ins + t.n_tup_upd + t.n_tup_del
                )
            ),
            '{}'
        )
        FROM pg_stat_user_tables AS t
        WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'sigmasight_cutover'
    )
)
FROM pg_stat_database AS d
WHERE d.datid = (SELECT oid FROM pg_database WHERE datname = current_database())
