-- The conversations that verification began and did not delete, with their messages.
SELECT c.id::text, coalesce(array_agg(m.id::text) FILTER (WHERE m.id IS NOT NULL), '{}')
FROM agent_conversations AS c
JOIN users AS u ON u.id = c.user_id
LEFT JOIN agent_messages AS m ON m.conversation_id = c.id
WHERE u.email = ANY(%(emails)s) AND c.metadata ->> 'route' = %(route)s
GROUP BY c.id
