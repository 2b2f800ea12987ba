-- Contributions less withdrawals since the session before each portfolio's first day.
SELECT
    f.portfolio_id,
    f.change_date,
    sum(CASE f.change_type WHEN 'CONTRIBUTION' THEN f.amount ELSE -f.amount END)::float8
FROM unnest(%(portfolios)s::uuid[], %(after)s::date[], %(until)s::date[])
    AS asked (portfolio_id, after, until)
JOIN equity_changes AS f
    ON f.portfolio_id = asked.portfolio_id
    AND f.change_date > asked.after
    AND f.change_date <= asked.until
WHERE f.deleted_at IS NULL
GROUP BY f.portfolio_id, f.change_date
ORDER BY f.change_date
