COPY (
    WITH wanted AS (
        SELECT symbol, (code - 1)::int4 AS code
        FROM unnest(%(symbols)s::text[]) WITH ORDINALITY AS w (symbol, code)
    )
    SELECT w.code, m.date, m.close::float8
    FROM wanted AS w
    JOIN market_data_cache AS m ON m.symbol = w.symbol
    WHERE m.date > %(first)s AND m.date <= %(last)s
        AND m.close > 0 AND m.close < 'Infinity'::numeric
    UNION ALL
    SELECT w.code, %(first)s::date, older.close::float8
    FROM wanted AS w
    CROSS JOIN LATERAL (
        SELECT m.close
        FROM market_data_cache AS m
        WHERE m.symbol = w.symbol AND m.date <= %(first)s
            AND m.close > 0 AND m.close < 'Infinity'::numeric
        ORDER BY m.date DESC
        LIMIT 1
    ) AS older
) TO STDOUT (FORMAT binary)
