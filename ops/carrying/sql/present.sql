-- Rows of a table of AI, in Core's session: their keys, and the digests where those are asked for.
CREATE TEMPORARY TABLE cutover_present (
    key uuid NOT NULL,
    digest text
) ON COMMIT DROP
