-- Where a write lock, or a fence, is kept. All that is ever made in legacy stands in this schema, is a
-- trigger that calls its function, or is what takes it off (release.sql).
CREATE SCHEMA IF NOT EXISTS sigmasight_cutover;

-- What default privileges have given away of it.
DO $body$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT DISTINCT grantee FROM pg_namespace, aclexplode(nspacl)
        WHERE nspname = 'sigmasight_cutover' AND grantee <> nspowner
    LOOP
        EXECUTE format(
            'REVOKE ALL ON SCHEMA sigmasight_cutover FROM %s',
            CASE one.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(one.grantee)) END
        );
    END LOOP;
END
$body$;

CREATE TABLE IF NOT EXISTS sigmasight_cutover.lock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    locked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The one transaction that may write, named by itself; nobody else ever sees it. A lock of an earlier
-- version lacks the column; where it is there, who reads the table (pg_dump) is not waited for.
DO $body$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = 'sigmasight_cutover.lock'::regclass AND attname = 'passing'
    ) THEN
        ALTER TABLE sigmasight_cutover.lock ADD COLUMN passing xid8;
    END IF;
END
$body$;
INSERT INTO sigmasight_cutover.lock DEFAULT VALUES ON CONFLICT DO NOTHING;
