-- Try every kind of write on every table and undo it at once; no form of it would change a row or
-- call a default. What became of each is left in the setting sigmasight.proof.
DO $body$
DECLARE
    one record;
    attempt record;
    outcome text;
    found jsonb[] := '{}';
BEGIN
    FOR one IN
        SELECT format('%I.%I', schema, name) AS name, shown, first_column, ruled
        FROM jsonb_to_recordset(current_setting('sigmasight.tables')::jsonb)
            AS t (schema text, name text, shown text, first_column text, ruled boolean)
    LOOP
        FOR attempt IN
            SELECT kind, wait, command
            FROM (VALUES
                ('INSERT', '300ms', format('INSERT INTO %s SELECT WHERE false', one.name)),
                ('UPDATE', '300ms', CASE WHEN one.first_column IS NOT NULL THEN format(
                    'UPDATE %s SET %I = DEFAULT WHERE false', one.name, one.first_column) END),
                ('DELETE', '300ms', format('DELETE FROM %s WHERE false', one.name)),
                -- Locks out readers for an instant, so it waits for none; last, so that a table
                -- without lock is never emptied, not even until its savepoint is undone.
                ('TRUNCATE', '1ms', format('TRUNCATE %s CASCADE', one.name))
            ) AS a (kind, wait, command)
            WHERE CASE kind
                WHEN 'TRUNCATE' THEN current_setting('sigmasight.truncate')::boolean
                ELSE NOT one.ruled AND command IS NOT NULL
            END
        LOOP
            PERFORM set_config('lock_timeout', attempt.wait, true);
            BEGIN
                EXECUTE attempt.command;
                RAISE EXCEPTION 'let through' USING ERRCODE = 'SGW02';
            EXCEPTION
                WHEN SQLSTATE 'SGW01' THEN outcome := 'trigger';
                WHEN SQLSTATE 'SGW02' THEN outcome := 'let through';
                WHEN insufficient_privilege THEN outcome := 'privilege';
                -- Or who reads it waits to write to it: the server calls that a deadlock at once.
                WHEN lock_not_available OR deadlock_detected THEN outcome := 'not tried';
                -- A published table without replica identity: the server takes this from nobody.
                -- (As a condition this state would stand for its whole class.)
                WHEN OTHERS THEN
                    outcome := CASE SQLSTATE WHEN '55000' THEN 'publication' ELSE SQLERRM END;
            END;
            found := array_append(found, jsonb_build_object(
                'table', one.shown, 'kind', attempt.kind, 'outcome', outcome
            ));
            EXIT WHEN outcome = 'let through';
        END LOOP;
    END LOOP;
    PERFORM set_config('sigmasight.proof', to_jsonb(found)::text, true);
END
$body$
