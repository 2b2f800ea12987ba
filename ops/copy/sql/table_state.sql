-- Where a table lies, the oldest and the next transaction, its rows that count, those of them that may
-- be new with the first and the last page in which they stand, and the rows that do not count.
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
    count(*) FILTER (WHERE counts),
    count(page),
    min(page),
    max(page),
    count(*) FILTER (WHERE counts IS NOT TRUE)
FROM (
    -- OFFSET has each asked of a row once, not by each aggregate.
    SELECT
        ({rows}) AS counts,
        CASE WHEN {new} AND ({rows}) THEN (ctid::text::point)[0]::bigint END AS page
    FROM {table}
    OFFSET 0
) AS looked
