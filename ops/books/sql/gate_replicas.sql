-- How far the backends are that may be serving: those that reported within %(believed)s seconds.
SELECT
    count(r.replica)::int AS seen,
    count(*) FILTER (WHERE r.state = 'held' AND r.epoch = g.epoch)::int AS held,
    count(*) FILTER (WHERE r.state = 'open' AND r.epoch = g.epoch)::int AS open,
    count(*) FILTER (WHERE r.seen_at > %(since)s)::int AS told
FROM ops.gate AS g
LEFT JOIN ops.gate_replicas AS r
    ON r.seen_at > clock_timestamp() - make_interval(secs => %(believed)s)
