-- Take the privileges to write away from every role but the owner: on the whole database, or on the
-- tables that are handed over and those yet to be made.

-- Each privilege that was taken away, in the words that give it back; why_kept where it was not.
CREATE TABLE IF NOT EXISTS sigmasight_cutover.revoked (
    preamble text NOT NULL,
    privilege text NOT NULL,
    target text NOT NULL,
    grantor text NOT NULL,
    grantee text NOT NULL,
    grantable boolean NOT NULL,
    why_kept text,
    -- The grantee, who may be renamed; null for PUBLIC, and in a lock of an earlier version.
    role oid,
    PRIMARY KEY (preamble, privilege, target, grantor, grantee)
);
DO $body$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = 'sigmasight_cutover.revoked'::regclass AND attname = 'role'
    ) THEN
        ALTER TABLE sigmasight_cutover.revoked ADD COLUMN role oid;
    END IF;
END
$body$;

-- Who but its owner may write to what: tables, columns, sequences, and tables yet to be made. No view,
-- which who reads the schema (pg_dump) would keep from being replaced.
CREATE OR REPLACE FUNCTION sigmasight_cutover.write_privileges() RETURNS TABLE (
    preamble text, privilege text, target text, grantable boolean, grantor text, grantee text,
    role oid, why_kept text
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $function$
WITH relation AS (
    SELECT c.oid, c.relkind, c.relacl, c.relowner, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S')
        AND (
            current_setting('sigmasight.whole')::boolean OR c.oid IN (
                SELECT t.oid
                FROM jsonb_to_recordset(current_setting('sigmasight.tables')::jsonb) AS t (oid oid)
            )
        )
        AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'sigmasight_cutover')
        AND NOT EXISTS (
            SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        )
), held AS (
    SELECT '' AS preamble, a.privilege_type AS privilege,
        'TABLE ' || name AS target,
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
    nullif(grantee, 0),
    CASE
        WHEN grantor <> owner THEN 'it was granted by ' || pg_get_userbyid(grantor)
        WHEN NOT pg_has_role(owner, 'USAGE') THEN 'only ' || pg_get_userbyid(owner) || ' may'
    END AS why_kept
FROM held
WHERE grantee <> owner;
$function$;

DO $body$
DECLARE
    one record;
BEGIN
    INSERT INTO sigmasight_cutover.revoked
        (preamble, privilege, target, grantor, grantee, grantable, why_kept, role)
    SELECT preamble, privilege, target, grantor, grantee, grantable, why_kept, role
    FROM sigmasight_cutover.write_privileges()
    ON CONFLICT (preamble, privilege, target, grantor, grantee)
        DO UPDATE SET grantable = EXCLUDED.grantable, why_kept = EXCLUDED.why_kept;

    -- The triggers refuse every write; this also refuses it to whoever would drop them.
    FOR one IN
        SELECT preamble, target, grantor, grantee, string_agg(privilege, ', ') AS privileges
        FROM sigmasight_cutover.write_privileges()
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
    FROM sigmasight_cutover.write_privileges() AS held
    WHERE r.why_kept IS NULL
        AND (r.preamble, r.privilege, r.target, r.grantor, r.grantee)
            = (held.preamble, held.privilege, held.target, held.grantor, held.grantee);
END
$body$;
