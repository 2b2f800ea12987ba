-- Try staged rows, so many at a time: which of them the table takes, and of the others why it does not.
DO $try_rows$
#variable_conflict use_column
DECLARE
    tried_first bigint;
    tried_last bigint;
    written bigint;
    context text;
BEGIN
    FOR tried_first, tried_last IN
        SELECT min(n.line), max(n.line)
        FROM (
            SELECT s.line, row_number() OVER (ORDER BY s.line) - 1 AS place
            FROM {staging} AS s WHERE {untaken}
        ) AS n
        GROUP BY n.place / {size} ORDER BY 1
    LOOP
        BEGIN
            {write};
            GET DIAGNOSTICS written = ROW_COUNT;
            IF written <> (SELECT count(*) FROM {staging} AS s WHERE {rows}) THEN
                RAISE EXCEPTION USING MESSAGE = {unwritten};
            END IF;
            IF EXISTS (SELECT FROM {staging} AS s WHERE {rows} AND {otherwise}) THEN
                RAISE EXCEPTION USING MESSAGE = {inexact};
            END IF;
            UPDATE {staging} AS s SET state = {done}, reason = NULL WHERE {rows};
        EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
            GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
            IF SQLSTATE || context ~ {not_of_a_row} THEN
                RAISE;
            END IF;
            UPDATE {staging} AS s SET
                -- Errors of class 22 repeat values, which are the users'; but not of a text too long.
                reason = CASE
                    WHEN SQLSTATE ~ '^22' AND SQLSTATE <> '22001'
                        THEN format('a value is none that its column takes (%s)', SQLSTATE)
                    ELSE SQLERRM
                END,
                state = CASE
                    WHEN SQLSTATE = '23505' THEN 'barred'
                    WHEN SQLSTATE IN ('23503', '23P01') THEN 'hindered'
                    ELSE 'refused'
                END
            WHERE {rows};
        END;
    END LOOP;
END
$try_rows$
