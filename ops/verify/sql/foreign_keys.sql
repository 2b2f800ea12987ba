-- Foreign keys of schema public, and whether the rows are sure to obey: validated, triggers on.
SELECT
    c.relname || '.' || k.conname,
    k.convalidated AND NOT EXISTS (
        SELECT FROM pg_trigger AS g WHERE g.tgconstraint = k.oid AND g.tgenabled = 'D'
    )
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND c.relnamespace = 'public'::regnamespace
