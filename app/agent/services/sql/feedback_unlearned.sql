-- Ratings that should have taught something and did not.
SELECT id
FROM ai_feedback AS rated
WHERE rated.created_at >= :since
    AND CASE
        WHEN rated.rating = 'up' THEN NOT EXISTS (
            SELECT
            FROM ai_kb_documents AS example
            WHERE example.scope = :example_scope
                AND example.metadata ->> 'feedback_id' = cast(rated.id AS text)
        )
        ELSE rated.edited_text <> '' AND NOT EXISTS (
            SELECT FROM ai_memories AS memory
            WHERE memory.tags ->> 'feedback_id' = cast(rated.id AS text)
        )
    END
ORDER BY rated.created_at DESC, rated.id
LIMIT :limit
