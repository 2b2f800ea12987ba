-- Lots sold since the session before each portfolio's first day. What was booked after a position's
-- exit belongs to the exit.
SELECT
    e.portfolio_id,
    e.position_id,
    least(e.trade_date, p.exit_date) AS day,
    e.quantity_closed::float8,
    e.realized_pnl::float8
FROM unnest(%(portfolios)s::uuid[], %(after)s::date[]) AS asked (portfolio_id, after)
JOIN position_realized_events AS e ON e.portfolio_id = asked.portfolio_id
JOIN positions AS p ON p.id = e.position_id AND p.portfolio_id = e.portfolio_id
WHERE least(e.trade_date, p.exit_date) > asked.after
ORDER BY day, e.id
