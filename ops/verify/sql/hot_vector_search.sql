-- The documents nearest to a question, as the chat agent asks for them.
SELECT id, title, content
FROM ai_kb_documents
ORDER BY embedding <=> array_fill(0.1::real, ARRAY[1536])::vector
LIMIT 5
