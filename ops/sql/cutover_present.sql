-- Digests of every user-owned row as it is now; the same columns as ops.cutover_baseline.
CREATE TEMPORARY TABLE cutover_present (
    table_name text NOT NULL,
    key uuid NOT NULL,
    digest text NOT NULL
) ON COMMIT DROP
