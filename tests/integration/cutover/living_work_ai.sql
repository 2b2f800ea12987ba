-- What users do in the other half.
INSERT INTO ai_memories (id, user_id, scope, content, tags)
VALUES (md5('new memory')::uuid, md5('user 1')::uuid, 'user', 'new', '{}');
DELETE FROM ai_memories WHERE id = md5('memory 5')::uuid;
UPDATE ai_feedback SET rating = 'down', comment = 'on reflection'
WHERE id = md5('feedback 1')::uuid;
INSERT INTO ai_feedback (id, message_id, rating)
VALUES (md5('new feedback')::uuid, md5('new message 1')::uuid, 'up');
UPDATE ai_kb_documents SET content = 'Rates rise.', embedding = NULL, updated_at = now()
WHERE id = md5('document 3')::uuid;
DELETE FROM ai_kb_documents WHERE id = md5('document 4')::uuid;
INSERT INTO ai_kb_documents (id, scope, title, content, embedding)
SELECT md5('new document')::uuid, 'global', 'New', E'x \\N \t',
    array_agg(1 / n::real ORDER BY n)::vector
FROM generate_series(3, 1538) AS n;
