-- Keys of a table of AI, in Core's session; and the digests of those that may be new.
CREATE TEMPORARY TABLE cutover_present (
    key uuid NOT NULL,
    digest text
) ON COMMIT DROP
