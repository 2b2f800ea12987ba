-- What ratings there are since a day, of all messages or of the given ones.
SELECT
    count(*) AS total,
    count(*) FILTER (WHERE rating = 'up') AS positive,
    count(*) FILTER (WHERE rating = 'down') AS negative,
    count(*) FILTER (WHERE edited_text <> '') AS with_edits,
    count(*) FILTER (WHERE comment <> '') AS with_comments,
    count(*) FILTER (WHERE created_at >= :recent_since) AS recent
FROM ai_feedback
WHERE created_at >= :since
    AND (cast(:message_ids AS uuid[]) IS NULL OR message_id = ANY(cast(:message_ids AS uuid[])))
