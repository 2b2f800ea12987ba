-- Schema ops in Core: what the moving itself must remember. Idempotent; the owner runs it.

-- Each run takes the next number; a writing transaction that holds an older one is refused.
CREATE TABLE IF NOT EXISTS ops.fencing (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    number bigint NOT NULL
);
INSERT INTO ops.fencing (number) VALUES (0) ON CONFLICT DO NOTHING;

-- Recorded once, before the first day; every backfill starts from it.
CREATE TABLE IF NOT EXISTS ops.starting_capital (
    portfolio_id uuid PRIMARY KEY,
    equity numeric(16, 2) NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

-- The backfill's truth: one row per portfolio and trading day that was attempted.
CREATE TABLE IF NOT EXISTS ops.backfill_ledger (
    portfolio_id uuid NOT NULL,
    calculation_date date NOT NULL,
    status text NOT NULL CHECK (status IN ('done', 'failed')),
    reason text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (portfolio_id, calculation_date),
    CHECK ((status = 'failed') = (reason IS NOT NULL))
);

-- Which run, by its fencing number, wrote a portfolio on a worker of Dask: there a task may be carried
-- out twice, and the second time it does not write.
CREATE TABLE IF NOT EXISTS ops.backfill_tokens (
    portfolio_id uuid PRIMARY KEY,
    number bigint NOT NULL
);

-- Legacy rows that the copy refused, whole, each with its reason; kind is the reason without values.
CREATE TABLE IF NOT EXISTS ops.copy_rejects (
    table_name text NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    row_data jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS copy_rejects_table ON ops.copy_rejects (table_name);

-- What the last complete copy of a table saw and left. While both hashes hold, a copy has nothing
-- to do. The source's hash covers every row that is read, rejected ones too, and both shapes; an
-- empty one never holds. What was seen tells without hashing whether a side was written since.
-- Proved: both sides were compared in that state, and parity held; proved_seen is the source when
-- that was last so, and rows that came since came as deltas.
CREATE TABLE IF NOT EXISTS ops.copy_fingerprints (
    table_name text PRIMARY KEY,
    source_rows bigint NOT NULL,
    accepted_rows bigint NOT NULL,
    source_hash text NOT NULL,
    core_hash text NOT NULL,
    source_seen jsonb,
    core_seen jsonb,
    proved boolean NOT NULL DEFAULT false,
    proved_seen jsonb,
    copied_at timestamptz NOT NULL DEFAULT now()
);

-- A Core that an earlier release keeps its books in has the table without these.
ALTER TABLE ops.copy_fingerprints
    ADD COLUMN IF NOT EXISTS source_seen jsonb,
    ADD COLUMN IF NOT EXISTS core_seen jsonb,
    ADD COLUMN IF NOT EXISTS proved boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS proved_seen jsonb;

-- From which old database the first copy came: its identity, as in ops.cutovers.
CREATE TABLE IF NOT EXISTS ops.copy_source (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    identity jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

-- Each swap and rollback. At most one is running; a killed one is finished or undone by the next.
CREATE TABLE IF NOT EXISTS ops.cutovers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('swap', 'rollback')),
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'undone')),
    step text NOT NULL DEFAULT 'begun',
    plan_id text NOT NULL,
    -- Identity of the old database: system_identifier, database_oid, database_name.
    legacy jsonb NOT NULL,
    accepted_loss bigint NOT NULL,
    held_seconds double precision,
    timings jsonb NOT NULL DEFAULT '{}',
    reason text,
    begun_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS cutovers_one_running ON ops.cutovers ((true))
    WHERE state = 'running';

-- User-owned rows of the new pair as the last swap left them: what a rollback is priced against.
-- It has no key: it is joined whole, and requests wait while a swap brings it up to date.
CREATE TABLE IF NOT EXISTS ops.cutover_baseline (
    table_name text NOT NULL,
    key uuid NOT NULL,
    digest text NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS cutover_baseline_key ON ops.cutover_baseline (table_name, key);

-- When that was, and in which swap; without this row there is no baseline, however few rows there
-- are. And how each table was seen then, which tells later which of its rows may be new.
CREATE TABLE IF NOT EXISTS ops.cutover_baseline_moment (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    recorded_at timestamptz NOT NULL,
    seen jsonb NOT NULL DEFAULT '{}',
    cutover bigint
);

-- As above, of an earlier release.
ALTER TABLE ops.cutover_baseline_moment
    ADD COLUMN IF NOT EXISTS seen jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS cutover bigint;

-- User-owned rows that were copied from legacy: one that legacy has deleted since is deleted too.
CREATE TABLE IF NOT EXISTS ops.copied_keys (
    table_name text NOT NULL,
    key uuid NOT NULL,
    PRIMARY KEY (table_name, key)
);

-- Legacy's own counters before and after each access of ours since the swap: what changes between
-- one 'after' and the next 'before' was somebody else. A 'window' begins the watch anew, from the
-- swap on or because something could not be told; its purpose says why.
CREATE TABLE IF NOT EXISTS ops.legacy_access (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    moment text NOT NULL CHECK (moment IN ('window', 'before', 'after')),
    -- The 'before' that an 'after' ends.
    access bigint,
    purpose text NOT NULL,
    counters jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((moment = 'after') = (access IS NOT NULL))
);

-- Swaps whose old database is followed no longer: what users write from then on is carried back by
-- a rollback alone.
CREATE TABLE IF NOT EXISTS ops.follow_ends (
    cutover bigint PRIMARY KEY REFERENCES ops.cutovers (id),
    ended_at timestamptz NOT NULL DEFAULT now()
);

-- Each backup that was taken, and the restore that proved it.
CREATE TABLE IF NOT EXISTS ops.backups (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    database text NOT NULL CHECK (database IN ('core', 'ai', 'legacy')),
    -- What was dumped: system_identifier, database_oid, database_name.
    identity jsonb NOT NULL,
    path text NOT NULL,
    bytes bigint NOT NULL,
    sha256 text NOT NULL,
    -- Table → rows and hash, sequences and counts of objects, in the snapshot that was dumped.
    content jsonb NOT NULL,
    taken_at timestamptz NOT NULL,
    -- When its restored copy was found equal; null while that is not proved.
    restored_at timestamptz,
    -- When retention removed the file.
    removed_at timestamptz
);

-- What a cleanup removed, and the evidence by which it was allowed. It is written before anything
-- is removed, so that a killed one can be finished.
CREATE TABLE IF NOT EXISTS ops.tombstones (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cutover bigint NOT NULL UNIQUE REFERENCES ops.cutovers (id),
    plan_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'done')),
    step text NOT NULL DEFAULT 'begun',
    removed jsonb NOT NULL,
    evidence jsonb NOT NULL,
    waiver text,
    begun_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);

-- Plans that a dry run has shown, so that a refusal can say what has moved since; one that an
-- operator approved before the date is what a scheduled cleanup executes.
CREATE TABLE IF NOT EXISTS ops.cleanup_plans (
    plan_id text PRIMARY KEY,
    parts jsonb NOT NULL,
    shown_at timestamptz NOT NULL DEFAULT now(),
    approved_at timestamptz
);
