-- Where a table lies, the oldest and the next transaction, its rows, those that may be new, and where
-- these stand if they are few.
SELECT
    {name},
    (
        SELECT concat_ws(
            '/', pg_postmaster_start_time(), d.oid, c.oid, pg_relation_filenode(c.oid), c.relnatts
        )
        FROM pg_class AS c, pg_database AS d
        WHERE c.oid = {oid} AND d.datname = current_database()
    ),
    txid_snapshot_xmin(txid_current_snapshot()),
    txid_snapshot_xmax(txid_current_snapshot()),
    count(*),
    count(*) FILTER (WHERE {new}),
    CASE
        WHEN count(*) FILTER (WHERE {new}) BETWEEN 1 AND {few}
            THEN ARRAY(SELECT ctid::text FROM {table} WHERE ({rows}) AND ({new}))
    END
FROM {table}
WHERE {rows}
