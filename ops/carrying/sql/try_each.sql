-- Try staged rows each by itself: which of them the table takes, and of the others why it does not.
CREATE OR REPLACE FUNCTION pg_temp.losses_try_each() RETURNS void LANGUAGE plpgsql AS $try_each$
#variable_conflict use_column
DECLARE
    tried_line bigint;
    written bigint;
    context text;
BEGIN
    FOR tried_line IN SELECT s.line FROM {staging} AS s WHERE {rows} ORDER BY 1 LOOP
        BEGIN
            {before}
            {write};
            GET DIAGNOSTICS written = ROW_COUNT;
            IF written <> 1 THEN
                RAISE EXCEPTION USING MESSAGE = {not_written};
            END IF;
            IF {inexact} THEN
                RAISE EXCEPTION USING MESSAGE = {inexactly};
            END IF;
            UPDATE {staging} SET state = 'written', reason = NULL WHERE line = tried_line;
        EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
            GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
            IF SQLSTATE || context ~ {not_of_a_row} THEN
                RAISE;
            END IF;
            UPDATE {staging} SET
                reason = SQLERRM,
                state = CASE SQLSTATE WHEN '23505' THEN 'barred' ELSE 'refused' END
            WHERE line = tried_line;
        END;
    END LOOP;
END
$try_each$;

SELECT pg_temp.losses_try_each();
