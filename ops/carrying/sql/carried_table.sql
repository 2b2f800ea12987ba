-- What of users' rows was carried back into this database since Core last took note; digest NULL for
-- a row that is gone. It is written in the transaction that writes the rows.
CREATE TABLE IF NOT EXISTS sigmasight_cutover.carried (
    table_name text NOT NULL,
    key uuid NOT NULL,
    digest text,
    PRIMARY KEY (table_name, key)
)
