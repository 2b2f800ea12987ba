-- Of a question that was there, in this conversation: whether it is this turn's, and its answer where
-- that is whole.
SELECT
    q.role = 'user' AND q.content = :question AND a.id IS NOT NULL AS same,
    CASE WHEN a.error IS NULL THEN nullif(a.content, '') END AS answer
FROM agent_messages AS q
LEFT JOIN agent_messages AS a ON a.id = :answered AND a.conversation_id = q.conversation_id
WHERE q.id = :asked AND q.conversation_id = :conversation_id
