-- A question and its empty answer, stored where the conversation is the caller's, and what they
-- follow: one row, however that turns out. The lock keeps the conversation until the commit. A turn
-- that is tried again finds its rows: nothing is added.
WITH caller AS (
    SELECT id FROM users WHERE id = :user_id AND is_active
),
conversation AS (
    SELECT c.id, c.mode, c.metadata
    FROM agent_conversations AS c
    JOIN caller AS u ON u.id = c.user_id
    WHERE c.id = :conversation_id
    FOR KEY SHARE OF c
),
added AS (
    INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)
    SELECT new.id, c.id, new.role, new.content, cast('[]' AS jsonb), new.created_at
    FROM conversation AS c
    CROSS JOIN (
        VALUES
            (cast(:asked AS uuid), 'user', cast(:question AS text), cast(:now AS timestamptz)),
            -- Later by a hair, so that an order by time is the order of the talk.
            (cast(:answered AS uuid), 'assistant', '',
                cast(:now AS timestamptz) + interval '1 microsecond')
    ) AS new (id, role, content, created_at)
    ON CONFLICT DO NOTHING
    RETURNING id
),
earlier AS (
    SELECT m.id, m.role, m.content, m.created_at
    FROM conversation AS c
    JOIN agent_messages AS m ON m.conversation_id = c.id
    WHERE m.role IN ('user', 'assistant') AND m.content <> '' AND m.id NOT IN (:asked, :answered)
    ORDER BY m.created_at DESC, m.id DESC
    LIMIT :messages
)
SELECT
    EXISTS (SELECT FROM caller) AS is_active,
    (SELECT count(*) FROM added) AS added,
    (SELECT mode FROM conversation) AS mode,
    (SELECT metadata FROM conversation) AS metadata,
    (
        SELECT jsonb_agg(jsonb_build_array(role, left(content, :characters))
            ORDER BY created_at, id)
        FROM earlier
    ) AS history,
    ARRAY(
        SELECT p.id
        FROM portfolios AS p
        JOIN caller AS u ON u.id = p.user_id
        WHERE p.deleted_at IS NULL
    ) AS owned
