-- How far each sequence has counted, in its own direction; 0 where it has not begun. A sequence
-- obeys no snapshot, and one that cycles may be anywhere.
SELECT format('%s.%s', schemaname, sequencename), coalesce(last_value * sign(increment_by)::int, 0)
FROM pg_catalog.pg_sequences
WHERE NOT cycle
ORDER BY 1
