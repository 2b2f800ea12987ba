-- Our documents as they should be: what differs is written, what left the set goes.
WITH given AS (
    SELECT *
    FROM unnest(
        cast(:ids AS uuid[]),
        cast(:scopes AS text[]),
        cast(:titles AS text[]),
        cast(:contents AS text[]),
        cast(:metadata AS jsonb[]),
        cast(:vectors AS text[])
    ) AS given (id, scope, title, content, metadata, embedding)
),
removed AS (
    DELETE FROM ai_kb_documents
    WHERE metadata ->> 'seed' = :seed AND id <> ALL(cast(:kept AS uuid[]))
    RETURNING id
),
written AS (
    INSERT INTO ai_kb_documents AS stored (id, scope, title, content, metadata, embedding)
    SELECT id, scope, title, content, metadata, cast(embedding AS vector)
    FROM given
    ON CONFLICT (id) DO UPDATE SET
        scope = excluded.scope,
        title = excluded.title,
        content = excluded.content,
        metadata = excluded.metadata,
        embedding = excluded.embedding,
        updated_at = clock_timestamp()
    WHERE (stored.scope, stored.title, stored.content, stored.metadata)
        IS DISTINCT FROM (excluded.scope, excluded.title, excluded.content, excluded.metadata)
        OR stored.embedding IS NULL
    RETURNING id
)
SELECT (SELECT count(*) FROM written) + (SELECT count(*) FROM removed)
