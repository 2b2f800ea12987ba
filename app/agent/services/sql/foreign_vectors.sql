-- Some documents whose vectors cannot be compared with those of the present model.
SELECT id, title, content
FROM ai_kb_documents
WHERE embedding IS NULL OR coalesce(metadata ->> 'embedding_model', :unnamed_model) <> :model
ORDER BY id
LIMIT :limit
