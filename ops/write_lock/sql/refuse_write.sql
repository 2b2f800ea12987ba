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
