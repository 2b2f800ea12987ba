-- What years of use have done to the installation since its own batch ran: snapshots that are not
-- there, rows that fit nowhere, tables and columns of its own, another schema, another type.

-- One was seen for the first time within the days, one lacks the session before them.
DELETE FROM portfolio_snapshots
WHERE portfolio_id = md5('portfolio 21')::uuid AND snapshot_date <= '2025-07-10';
DELETE FROM portfolio_snapshots
WHERE portfolio_id = md5('portfolio 22')::uuid AND snapshot_date = '2025-06-30';

INSERT INTO positions (id, portfolio_id, symbol, position_type, quantity, entry_price, entry_date,
    created_at, updated_at)
VALUES (md5('nameless')::uuid, md5('portfolio 40')::uuid, '', 'LONG', 1, 1, '2025-03-03', now(),
    now());
INSERT INTO ai_feedback (id, message_id, rating)
VALUES (md5('of nothing')::uuid, md5('no message')::uuid, 'up');

ALTER TABLE users ADD last_seen timestamptz;
UPDATE users SET last_seen = created_at + interval '1 year';
ALTER TABLE portfolios ALTER description TYPE text;
ALTER TABLE agent_messages ALTER tool_calls TYPE json USING tool_calls::json;
CREATE TABLE ai_insights (
    id uuid PRIMARY KEY,
    portfolio_id uuid NOT NULL REFERENCES portfolios (id) ON DELETE CASCADE,
    title text NOT NULL
);
INSERT INTO ai_insights
SELECT md5('insight ' || n)::uuid, md5('portfolio ' || n)::uuid, 'Insight ' || n
FROM generate_series(1, 25) AS n;

DROP SCHEMA ops CASCADE;
DROP TABLE IF EXISTS alembic_version_core, alembic_version_ai, alembic_version;
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('k8l9m0n1o2p3'), ('n0o1p2q3r4s5');
ALTER SCHEMA public RENAME TO sigma;
CREATE SCHEMA public;
ALTER EXTENSION vector SET SCHEMA public;
