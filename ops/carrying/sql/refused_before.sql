-- Changes that the old database did not take in an earlier carrying of this session. It is locked, so
-- it would not now, and users need not wait for that.
CREATE TEMPORARY TABLE IF NOT EXISTS carrying_refused (
    table_name text NOT NULL,
    key uuid NOT NULL,
    digest text,
    reason text
)
