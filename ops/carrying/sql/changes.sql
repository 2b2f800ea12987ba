-- User-owned rows that are not as the baseline has them: before is the baseline's digest, NULL for a
-- row that it lacks; after the digest now, NULL for a row that is gone.
CREATE TEMPORARY TABLE cutover_changes (
    table_name text NOT NULL,
    key uuid NOT NULL,
    before text,
    after text
) ON COMMIT DROP
