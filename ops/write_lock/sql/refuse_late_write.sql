-- Refuse what a process of the backend writes that wakes after a rollback. Our own phases copy, seed and
-- compute on: their sessions are known by their name, which is a convention and no security.
CREATE OR REPLACE FUNCTION sigmasight_cutover.refuse_write() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF starts_with(current_setting('application_name'), 'sigmasight ') THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% of %.% is refused: this database is fenced off since the rollback',
        TG_OP, quote_ident(TG_TABLE_SCHEMA), quote_ident(TG_TABLE_NAME)
        USING ERRCODE = 'SGW01',
            HINT = 'Write to the old database, which serves; "sigmasight swap" opens this one again.';
END
$function$;
