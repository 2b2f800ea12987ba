-- Of two rows that were there: whether they are this turn's, and its answer where that is whole.
SELECT
    q.role = 'user' AND q.content = :question AND a.role = 'assistant'
        AND (q.conversation_id, a.conversation_id) = (:conversation_id, :conversation_id) AS same,
    CASE WHEN a.error IS NULL THEN nullif(a.content, '') END AS answer
FROM agent_messages AS q
CROSS JOIN agent_messages AS a
WHERE q.id = :asked AND a.id = :answered
