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
-- to do. The source's hash covers every row that is read, rejected ones too, and both shapes.
CREATE TABLE IF NOT EXISTS ops.copy_fingerprints (
    table_name text PRIMARY KEY,
    source_rows bigint NOT NULL,
    accepted_rows bigint NOT NULL,
    source_hash text NOT NULL,
    core_hash text NOT NULL,
    copied_at timestamptz NOT NULL DEFAULT now()
);
