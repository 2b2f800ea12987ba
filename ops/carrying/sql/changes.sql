-- Changes of users' rows: before is the baseline's digest, NULL for a row that it lacks; after the
-- digest now, NULL for a row that is gone. Where they are to be written, each table's are staged in a
-- child of this table. A change is `pending` until it is `written`, found to be there `already`, or a
-- `conflict`; a row that was not taken is `refused`, or `barred` by what only one row may have, or
-- `hindered` by another one, and one that names such a row is `held`. What an earlier carrying of the
-- session found to be refused is `remembered`.
CREATE TEMPORARY TABLE cutover_changes (
    line bigint,
    change text,
    table_name text NOT NULL,
    key uuid NOT NULL,
    before text,
    after text,
    state text NOT NULL DEFAULT 'pending',
    reason text
) ON COMMIT DROP
