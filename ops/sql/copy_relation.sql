-- What an unqualified name means to this role, if rows can be read from it. Children by
-- inheritance add rows that the unique keys of a plain table do not cover.
SELECT
    c.oid::bigint AS oid,
    n.nspname AS schema,
    c.relname AS name,
    c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = c.oid)
        AS has_children
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(quote_ident(%(table)s)) AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
