-- Keys of users' rows that come from another session, and what their content is now.
CREATE TEMPORARY TABLE cutover_keys (
    table_name text NOT NULL,
    key uuid NOT NULL,
    digest text
) ON COMMIT DROP
