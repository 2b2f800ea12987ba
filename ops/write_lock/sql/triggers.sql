-- Have the function refuse every kind of write, in the caller's transaction, which holds the tables
-- already.
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
        -- Of this table alone: servers before 15 went on to parts that have no such trigger yet.
        EXECUTE format(
            'ALTER TABLE ONLY %I.%I ENABLE ALWAYS TRIGGER "00_sigmasight_write_lock"',
            one.schema, one.name
        );
    END LOOP;
END
$body$;
