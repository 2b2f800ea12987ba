-- A document by its id, or without one by scope and title. The caller holds the lock of its key.
WITH twin AS (
    SELECT id
    FROM ai_kb_documents
    WHERE cast(:id AS uuid) IS NULL AND scope = :scope AND title = :title
    ORDER BY created_at DESC, id
    LIMIT 1
)
INSERT INTO ai_kb_documents (id, scope, title, content, metadata, embedding)
VALUES (
    coalesce(cast(:id AS uuid), (SELECT id FROM twin), gen_random_uuid()),
    :scope,
    :title,
    :content,
    cast(:metadata AS jsonb),
    cast(:vector AS vector)
)
ON CONFLICT (id) DO UPDATE SET
    scope = excluded.scope,
    title = excluded.title,
    content = excluded.content,
    metadata = excluded.metadata,
    embedding = excluded.embedding,
    updated_at = clock_timestamp()
RETURNING id
