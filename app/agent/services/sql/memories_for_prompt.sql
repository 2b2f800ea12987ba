-- What to remind the agent of: the newest of what holds everywhere, then of this portfolio.
(
    SELECT scope, content
    FROM ai_memories
    WHERE user_id = :user_id AND scope <> 'portfolio'
    ORDER BY created_at DESC, id DESC
    LIMIT :most_general
)
UNION ALL
(
    SELECT scope, content
    FROM ai_memories
    WHERE user_id = :user_id AND scope = 'portfolio' AND tags ->> 'portfolio_id' = :portfolio_id
    ORDER BY created_at DESC, id DESC
    LIMIT :most_of_portfolio
)
