-- The conversations that verification held as a demo user, whatever the columns' types.
SELECT c.id::text
FROM agent_conversations AS c
JOIN users AS u ON u.id::text = c.user_id::text
WHERE u.email = ANY(%(emails)s)
    AND c.metadata::text ~ ('"route"\s*:\s*"' || %(route)s || '"')
