-- Some documents whose vectors cannot be compared with those of the present model. Metadata that are
-- no object cannot name a model: such a document, which no backend makes, keeps the vector that it has.
SELECT id, title, content
FROM ai_kb_documents
WHERE (embedding IS NULL OR coalesce(metadata ->> 'embedding_model', :unnamed_model) <> :model)
    AND jsonb_typeof(metadata) = 'object'
ORDER BY id
LIMIT :limit
