-- The documents nearest to a vector. One condition in one CASE: the planner takes it for half of
-- the rows, whereas a comparison of metadata it would take for one row in two hundred, and then it
-- would read everything instead of the vector index.
SELECT
    id,
    scope,
    title,
    content,
    1 - (embedding <=> cast(:vector AS vector)) AS similarity
FROM ai_kb_documents
WHERE scope = ANY(cast(:scopes AS text[]))
    AND CASE
        WHEN coalesce(metadata ->> 'embedding_model', :unnamed_model) <> :model THEN false
        WHEN scope = :example_scope THEN metadata ->> 'user_id' = :user_id
        ELSE true
    END
ORDER BY embedding <=> cast(:vector AS vector)
LIMIT :limit
