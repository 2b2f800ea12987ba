-- New vectors of documents whose text is still the one that was embedded.
UPDATE ai_kb_documents AS stored
SET
    embedding = cast(given.embedding AS vector),
    metadata = stored.metadata || jsonb_build_object('embedding_model', cast(:model AS text)),
    updated_at = clock_timestamp()
FROM unnest(
    cast(:ids AS uuid[]),
    cast(:titles AS text[]),
    cast(:contents AS text[]),
    cast(:vectors AS text[])
) AS given (id, title, content, embedding)
WHERE stored.id = given.id AND stored.title = given.title AND stored.content = given.content
RETURNING stored.id
