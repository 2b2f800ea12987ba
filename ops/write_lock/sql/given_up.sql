-- Until the lock is sealed, whoever could write before it may take it off as the lock of one hold. That
-- this hold was given up stands in Core: the backends read it there, and nothing here can. The hold's
-- number is the schema's comment, which is read without a lock on any table.
CREATE FUNCTION sigmasight_release.given_up(of_hold bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    marked text;
BEGIN
    IF obj_description('sigmasight_release'::regnamespace, 'pg_namespace') <> of_hold::text THEN
        RETURN false;
    END IF;
    SELECT string_agg(format('ONLY %I.%I', n.nspname, c.relname), ', ' ORDER BY n.nspname, c.relname)
    INTO marked
    FROM pg_trigger AS g
    JOIN pg_class AS c ON c.oid = g.tgrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE g.tgname = '00_sigmasight_write_lock';
    IF marked IS NOT NULL THEN
        -- Long enough that an autovacuum yields.
        PERFORM set_config('lock_timeout', (
            extract(epoch FROM current_setting('deadlock_timeout')::interval) * 1000 + 250
        )::int::text, true);
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', marked);
    END IF;
    -- Once more: while the tables were waited for, another hold may have made a lock of its own.
    IF EXISTS (
        SELECT FROM pg_namespace
        WHERE nspname = 'sigmasight_release'
            AND obj_description(oid, 'pg_namespace') = of_hold::text
    ) THEN
        PERFORM sigmasight_release.unlock();
        RETURN true;
    END IF;
    RETURN false;
END
$function$;
REVOKE ALL ON FUNCTION sigmasight_release.given_up(bigint) FROM PUBLIC;

DO $body$
DECLARE
    one record;
BEGIN
    EXECUTE format(
        'COMMENT ON SCHEMA sigmasight_release IS %L', current_setting('sigmasight.hold')
    );
    FOR one IN
        SELECT DISTINCT grantee FROM sigmasight_cutover.revoked
        WHERE target LIKE 'TABLE %' AND grantee <> 'PUBLIC'
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA sigmasight_release TO %s', one.grantee);
        EXECUTE format(
            'GRANT EXECUTE ON FUNCTION sigmasight_release.given_up(bigint) TO %s', one.grantee
        );
    END LOOP;
END
$body$;
