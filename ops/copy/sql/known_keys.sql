-- How many keys of a table are known, and how many of these ids are none of them.
SELECT count(*), (
    SELECT count(*) FROM unnest(%(ids)s::uuid[]) AS n (id) WHERE NOT EXISTS (
        SELECT FROM ops.copied_keys AS c WHERE c.table_name = %(table)s AND c.key = n.id
    )
)
FROM ops.copied_keys
WHERE table_name = %(table)s
