-- Copied portfolios: until a day was computed, the equity that legacy declares. The backfill starts
-- from it where legacy took no snapshot; afterwards the batch carries it on, and neither is touched.
WITH untouched AS (
    SELECT s.id, s.equity_balance
    FROM {arrived} AS s
    WHERE NOT EXISTS (SELECT FROM ops.backfill_ledger AS l WHERE l.portfolio_id = s.id)
),
declared AS (
    UPDATE portfolios AS p
    SET equity_balance = u.equity_balance
    FROM untouched AS u
    WHERE p.id = u.id AND p.equity_balance IS DISTINCT FROM u.equity_balance
)
INSERT INTO ops.starting_capital AS c (portfolio_id, equity)
SELECT id, coalesce(equity_balance, 0) FROM untouched
ON CONFLICT (portfolio_id) DO UPDATE SET equity = excluded.equity
WHERE c.equity <> excluded.equity
