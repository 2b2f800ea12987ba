-- Of each backend that reported within %(believed)s seconds: in which of its databases it has found
-- whoever began the trial of this digest; NULL where it has not said so.
SELECT CASE met_digest WHEN %(digest)s THEN met END
FROM ops.gate_replicas
WHERE seen_at > clock_timestamp() - make_interval(secs => %(believed)s)
