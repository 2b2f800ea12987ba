-- Lock legacy against writes, in the caller's transaction, which holds every table already. All
-- that is ever made in legacy stands in this schema, or is a trigger that calls its function.
CREATE SCHEMA IF NOT EXISTS sigmasight_cutover;

CREATE TABLE IF NOT EXISTS sigmasight_cutover.lock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    locked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The one transaction that may write, named by itself; nobody else ever sees it. A lock of an
-- earlier version lacks the column.
ALTER TABLE sigmasight_cutover.lock ADD COLUMN IF NOT EXISTS passing xid8;
INSERT INTO sigmasight_cutover.lock DEFAULT VALUES ON CONFLICT DO NOTHING;

-- Each privilege that was taken away, in the words that give it back; why_kept where it was not.
CREATE TABLE IF NOT EXISTS sigmasight_cutover.revoked (
    preamble text NOT NULL,
    privilege text NOT NULL,
    target text NOT NULL,
    grantor text NOT NULL,
    grantee text NOT NULL,
    grantable boolean NOT NULL,
    why_kept text,
    PRIMARY KEY (preamble, privilege, target, grantor, grantee)
);

-- Who but its owner may write to what: tables, columns, sequences, and tables yet to be made.
CREATE OR REPLACE VIEW sigmasight_cutover.write_privileges AS
WITH relation AS (
    SELECT c.oid, c.relkind, c.relacl, c.relowner, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S')
        AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'sigmasight_cutover')
        AND NOT EXISTS (
            SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        )
), held AS (
    SELECT '' AS preamble, a.privilege_type AS privilege, 'TABLE ' || name AS target,
        a.grantor, a.grantee, a.is_grantable, relowner AS owner
    FROM relation, aclexplode(relacl) AS a
    WHERE relkind <> 'S' AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
    UNION ALL
    SELECT '', format('%s (%I)', a.privilege_type, c.attname), 'TABLE ' || name,
        a.grantor, a.grantee, a.is_grantable, relowner
    FROM relation JOIN pg_attribute AS c ON c.attrelid = oid, aclexplode(c.attacl) AS a
    WHERE relkind <> 'S' AND NOT c.attisdropped AND a.privilege_type IN ('INSERT', 'UPDATE')
    UNION ALL
    SELECT '', a.privilege_type, 'SEQUENCE ' || name,
        a.grantor, a.grantee, a.is_grantable, relowner
    FROM relation, aclexplode(relacl) AS a
    WHERE relkind = 'S' AND a.privilege_type IN ('USAGE', 'UPDATE')
    UNION ALL
    SELECT
        format('ALTER DEFAULT PRIVILEGES FOR ROLE %I ', pg_get_userbyid(d.defaclrole))
            || coalesce('IN SCHEMA ' || quote_ident(n.nspname) || ' ', ''),
        a.privilege_type,
        CASE d.defaclobjtype WHEN 'S' THEN 'SEQUENCES' ELSE 'TABLES' END,
        a.grantor, a.grantee, a.is_grantable, d.defaclrole
    FROM pg_default_acl AS d
    LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) AS a
    WHERE (d.defaclobjtype = 'r'
            AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'))
        OR (d.defaclobjtype = 'S' AND a.privilege_type IN ('USAGE', 'UPDATE'))
)
SELECT preamble, privilege, target, is_grantable AS grantable,
    pg_get_userbyid(grantor)::text AS grantor,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee,
    CASE
        WHEN grantor <> owner THEN 'it was granted by ' || pg_get_userbyid(grantor)
        WHEN NOT pg_has_role(owner, 'USAGE') THEN 'only ' || pg_get_userbyid(owner) || ' may'
    END AS why_kept
FROM held
WHERE grantee <> owner;

-- As its owner, who alone may read who passes. A transaction that has not written has no number yet,
-- and gets none by asking.
CREATE OR REPLACE FUNCTION sigmasight_cutover.refuse_write() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM FROM sigmasight_cutover.lock WHERE passing = pg_current_xact_id_if_assigned();
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% of %.% is refused: this database is locked against writes since the swap',
        TG_OP, quote_ident(TG_TABLE_SCHEMA), quote_ident(TG_TABLE_NAME)
        USING ERRCODE = 'SGW01',
            HINT = 'Write to the new databases; "sigmasight rollback" brings this one back.';
END
$function$;

DO $body$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT * FROM jsonb_to_recordset(current_setting('sigmasight.tables')::jsonb)
            AS t (schema text, name text, marked boolean)
    LOOP
        IF NOT one.marked THEN
            EXECUTE format(
                'CREATE TRIGGER "00_sigmasight_write_lock"'
                ' BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I.%I'
                ' FOR EACH STATEMENT EXECUTE FUNCTION sigmasight_cutover.refuse_write()',
                one.schema, one.name
            );
        END IF;
        EXECUTE format(
            'ALTER TABLE %I.%I ENABLE ALWAYS TRIGGER "00_sigmasight_write_lock"',
            one.schema, one.name
        );
    END LOOP;

    -- What default privileges have given away of this schema.
    FOR one IN
        SELECT DISTINCT grantee FROM pg_namespace, aclexplode(nspacl)
        WHERE nspname = 'sigmasight_cutover' AND grantee <> nspowner
    LOOP
        EXECUTE format(
            'REVOKE ALL ON SCHEMA sigmasight_cutover FROM %s',
            CASE one.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(one.grantee)) END
        );
    END LOOP;

    INSERT INTO sigmasight_cutover.revoked
        (preamble, privilege, target, grantor, grantee, grantable, why_kept)
    SELECT preamble, privilege, target, grantor, grantee, grantable, why_kept
    FROM sigmasight_cutover.write_privileges
    ON CONFLICT (preamble, privilege, target, grantor, grantee)
        DO UPDATE SET grantable = EXCLUDED.grantable, why_kept = EXCLUDED.why_kept;

    -- The triggers refuse every write; this also refuses it to whoever would drop them.
    FOR one IN
        SELECT preamble, target, grantor, grantee, string_agg(privilege, ', ') AS privileges
        FROM sigmasight_cutover.write_privileges
        WHERE why_kept IS NULL
        GROUP BY preamble, target, grantor, grantee
    LOOP
        BEGIN
            EXECUTE format(
                '%sREVOKE %s ON %s FROM %s', one.preamble, one.privileges, one.target, one.grantee
            );
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
            UPDATE sigmasight_cutover.revoked AS r SET why_kept = SQLERRM
            WHERE (r.preamble, r.target, r.grantor, r.grantee)
                = (one.preamble, one.target, one.grantor, one.grantee);
        END;
    END LOOP;

    UPDATE sigmasight_cutover.revoked AS r SET why_kept = 'the server kept it'
    FROM sigmasight_cutover.write_privileges AS held
    WHERE r.why_kept IS NULL
        AND (r.preamble, r.privilege, r.target, r.grantor, r.grantee)
            = (held.preamble, held.privilege, held.target, held.grantor, held.grantee);
END
$body$;
