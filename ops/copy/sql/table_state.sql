-- Where a table lies, the oldest and the next transaction, its rows, those that may be new, and the
-- first and the last page in which these stand.
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
    count(page),
    min(page),
    max(page)
FROM (
    -- OFFSET has what is new asked of each row once, not by each aggregate.
    SELECT CASE WHEN {new} THEN (ctid::text::point)[0]::bigint END AS page
    FROM {table}
    WHERE {rows}
    OFFSET 0
) AS looked
