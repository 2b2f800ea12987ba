-- Lots sold since the session before each portfolio's first day.
SELECT e.portfolio_id, e.position_id, e.trade_date, e.quantity_closed::float8, e.realized_pnl::float8
FROM unnest(%(portfolios)s::uuid[], %(after)s::date[]) AS asked (portfolio_id, after)
JOIN position_realized_events AS e
    ON e.portfolio_id = asked.portfolio_id AND e.trade_date > asked.after
JOIN positions AS p ON p.id = e.position_id AND p.portfolio_id = e.portfolio_id
ORDER BY e.trade_date, e.id
