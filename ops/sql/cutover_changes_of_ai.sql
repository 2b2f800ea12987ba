-- The shape of cutover_changes, in AI's session.
CREATE TEMPORARY TABLE cutover_changes (
    table_name text NOT NULL,
    key uuid NOT NULL,
    before text,
    after text
) ON COMMIT DROP
