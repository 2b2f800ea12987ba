-- Where a table lies, the oldest and the next transaction, its rows, and those that may be new.
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
    count(*) FILTER (WHERE {new})
FROM {table}
WHERE {rows}
