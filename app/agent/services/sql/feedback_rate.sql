-- One rating a message. The caller holds the message's lock.
WITH changed AS (
    UPDATE ai_feedback
    SET rating = :rating, edited_text = :edited_text, comment = :comment
    WHERE message_id = :message_id
    RETURNING id, message_id, rating, edited_text, comment
),
added AS (
    INSERT INTO ai_feedback (message_id, rating, edited_text, comment)
    SELECT :message_id, :rating, :edited_text, :comment
    WHERE NOT EXISTS (SELECT FROM changed)
    RETURNING id, message_id, rating, edited_text, comment
)
SELECT * FROM changed UNION ALL SELECT * FROM added
ORDER BY id
LIMIT 1
