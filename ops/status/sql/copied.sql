-- Every copy of a table records that it found parity.
SELECT
    table_name,
    accepted_rows,
    copied_at,
    (SELECT count(*) FROM ops.copy_rejects r WHERE r.table_name = f.table_name) AS rejects
FROM ops.copy_fingerprints f
ORDER BY table_name
