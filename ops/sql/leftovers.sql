-- The conversations that verification held as one of some users, whatever the columns' types. The
-- mark is its own at the top alone: an object within belongs to the user.
SELECT c.id::text
FROM agent_conversations AS c
JOIN users AS u ON u.id::text = c.user_id::text
WHERE lower(u.email::text) = ANY(SELECT lower(unnest(%(emails)s::text[])))
    AND c.metadata::text ~ (
        '^\s*\{[^{}]*"route"\s*:\s*"' || %(route)s || '"[^{}]*\}\s*$'
    )
