-- A new memory, room made for it by the oldest; none where the user's memories say it already.
-- The caller holds the lock of the user's memories.
WITH twin AS (
    SELECT id
    FROM ai_memories
    WHERE cast(:once AS boolean)
        AND user_id = :user_id
        AND content <> ''
        AND (strpos(lower(content), lower(:content)) > 0
            OR strpos(lower(:content), lower(content)) > 0)
        AND (scope <> 'portfolio'
            OR tags ->> 'portfolio_id' = cast(:tags AS jsonb) ->> 'portfolio_id')
),
removed AS (
    DELETE FROM ai_memories
    WHERE id IN (
        SELECT id
        FROM ai_memories
        WHERE user_id = :user_id AND NOT EXISTS (SELECT FROM twin)
        ORDER BY created_at DESC, id DESC
        OFFSET :most_others
    )
)
INSERT INTO ai_memories (user_id, scope, content, tags, created_at)
SELECT :user_id, :scope, :content, cast(:tags AS jsonb), clock_timestamp()
WHERE NOT EXISTS (SELECT FROM twin)
RETURNING id, scope, content, tags, created_at
