-- How many rows of a table that each batch computes are of days that it does not compute of their
-- portfolio. Days are compared as texts, because an old database may hold them as such.
SELECT count(*)
FROM {rows}
LEFT JOIN unnest(%(portfolios)s::text[], %(firsts)s::text[], %(lasts)s::text[])
    AS c (portfolio, first_day, last_day) ON c.portfolio = lower({portfolio}::text)
WHERE {which} AND (
    left({day}::text, 10) COLLATE "C" BETWEEN c.first_day AND c.last_day
    AND coalesce(left({day}::text, 10) = ANY(%(days)s::text[]), true)
) IS NOT TRUE
