-- How a write lock is taken off, in the caller's transaction: its triggers, then every privilege back as
-- it was granted, then what it was kept in. What was dropped since, or whose role is gone, is left out.
-- Where tables are spared, these stay locked, and the lock stands.
CREATE SCHEMA IF NOT EXISTS sigmasight_release;
CREATE OR REPLACE FUNCTION sigmasight_release.unlock(spared oid[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    one record;
    kept text[] := array(
        SELECT format('TABLE %I.%I', n.nspname, c.relname)
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid = ANY(spared)
    );
BEGIN
    FOR one IN
        SELECT n.nspname, c.relname, g.tgname
        FROM pg_trigger AS g
        JOIN pg_class AS c ON c.oid = g.tgrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        JOIN pg_namespace AS o ON o.oid = p.pronamespace
        WHERE o.nspname = 'sigmasight_cutover' AND c.oid <> ALL(spared)
        ORDER BY n.nspname, c.relname
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %I.%I', one.tgname, one.nspname, one.relname);
    END LOOP;

    IF to_regclass('sigmasight_cutover.revoked') IS NOT NULL THEN
        FOR one IN
            -- One by one, so that a column that was dropped takes no other privilege with it.
            SELECT r.preamble, r.privilege, r.target, r.grantable,
                coalesce(quote_ident(a.rolname), r.grantee) AS grantee
            FROM sigmasight_cutover.revoked AS r
            -- Of an earlier version's lock, which lacks the column, the name must do.
            LEFT JOIN pg_roles AS a ON a.oid = (to_jsonb(r) ->> 'role')::oid
            WHERE r.why_kept IS NULL AND r.target <> ALL(kept) AND (a.oid IS NOT NULL OR to_jsonb(r) ->> 'role' IS NULL)
        LOOP
            BEGIN
                EXECUTE format(
                    '%sGRANT %s ON %s TO %s%s', one.preamble, one.privilege, one.target,
                    one.grantee, CASE WHEN one.grantable THEN ' WITH GRANT OPTION' ELSE '' END
                );
            EXCEPTION
                WHEN undefined_table OR undefined_column OR undefined_object OR invalid_schema_name
                THEN NULL;
            END;
        END LOOP;
        DELETE FROM sigmasight_cutover.revoked WHERE target <> ALL(kept);
    END IF;
    IF spared = '{}' THEN
        DROP SCHEMA IF EXISTS sigmasight_cutover CASCADE;
    END IF;
    DROP SCHEMA sigmasight_release CASCADE;
END
$function$;
REVOKE ALL ON FUNCTION sigmasight_release.unlock(oid[]) FROM PUBLIC;
