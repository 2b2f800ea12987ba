-- Schema ops in Core: what the moving itself must remember. Idempotent; the owner runs it.
-- Databases of the backend never look here; drift knows it.

CREATE SCHEMA IF NOT EXISTS ops;

-- Which half of a pair this database is: core, ai or shared.
CREATE TABLE IF NOT EXISTS ops.database_marker (
    role text PRIMARY KEY CHECK (role IN ('core', 'ai', 'shared')),
    marked_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS database_marker_single ON ops.database_marker ((true));
