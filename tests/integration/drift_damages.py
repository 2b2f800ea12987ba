"""Ways in which a database comes to differ from its chain, and the way back."""

from typing import NamedTuple

from app.chain_folders import ChainName


class Damage(NamedTuple):
    """SQL that damages a database, what drift then names, and the SQL that undoes it: where none is
    given, what drift advises. `says` are words of a message."""

    chain: ChainName
    do: str
    names: set[tuple[str, str]]
    undo: str = ""
    says: str = ""


DROP_NOTES = "ALTER TABLE positions DROP COLUMN notes, "
PAIRS = "pairwise_correlations.idx_pairwise_correlations_calculation"
HNSW = "ai_kb_documents.ix_ai_kb_documents_embedding_hnsw"
HNSW_SQL = "CREATE INDEX ix_ai_kb_documents_embedding_hnsw ON ai_kb_documents USING hnsw "
HNSW_DEFAULT = HNSW_SQL + "(embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64)"
DROP_HNSW = "DROP INDEX ix_ai_kb_documents_embedding_hnsw; "
VALID_PRICES = "market_data_cache.idx_market_data_valid_prices"
VALID_PRICES_SQL = "CREATE INDEX idx_market_data_valid_prices ON market_data_cache (symbol, date) "
DROP_VALID_PRICES = "DROP INDEX idx_market_data_valid_prices; "
COLOR = "tags_v2.ck_tags_v2_valid_hex_color"
DROP_COLOR = "ALTER TABLE tags_v2 DROP CONSTRAINT ck_tags_v2_valid_hex_color; "
ADD_COLOR = "ALTER TABLE tags_v2 ADD CONSTRAINT ck_tags_v2_valid_hex_color CHECK "
COLOR_RULE = "(color ~ '^#[0-9A-Fa-f]{6}$')"
EVENTS_KEY = "position_realized_events.fk_position_realized_events_position_id_positions"
KEYS_TO_USERS = (
    "tags_v2.fk_tags_v2_user_id_users",
    "tags_v2.fk_tags_v2_archived_by_users",
    "position_tags.fk_position_tags_assigned_by_users",
    "portfolio_target_prices.fk_portfolio_target_prices_created_by_users",
    "portfolios.fk_portfolios_user_id_users",
    "equity_changes.fk_equity_changes_created_by_user_id_users",
)
EVENTS_OTHER_KEY = "position_realized_events.fk_position_realized_events_portfolio_id_portfolios"
FUNCTION = "CREATE FUNCTION ops.noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
ADD_TRIGGER = f"{FUNCTION} CREATE TRIGGER spy BEFORE INSERT ON users "
SET_INDEX_INVALID = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = "

DAMAGES = {
    "a missing table": Damage(
        "core",
        "ALTER TABLE fund_holdings SET SCHEMA ops",
        {("missing table", "fund_holdings")},
        "ALTER TABLE ops.fund_holdings SET SCHEMA public",
    ),
    "an unknown table with a dot in its name": Damage(
        "core",
        'CREATE TABLE "of.ours" (id serial PRIMARY KEY, "a.b" text)',
        {("unexpected table", "of.ours")},
        'DROP TABLE "of.ours"',
    ),
    "an unknown view": Damage(
        "core",
        "CREATE VIEW holdings AS SELECT symbol FROM positions",
        {("unexpected table", "holdings")},
        "DROP VIEW holdings",
    ),
    "a view where a table is expected": Damage(
        "core",
        "ALTER TABLE company_profiles SET SCHEMA ops;"
        "CREATE VIEW company_profiles AS SELECT * FROM ops.company_profiles",
        {("table kind", "company_profiles")},
        "DROP VIEW company_profiles; ALTER TABLE ops.company_profiles SET SCHEMA public",
    ),
    "an AI table in Core": Damage(
        "core",
        "CREATE TABLE ai_feedback (id uuid PRIMARY KEY)",
        {("table of the other database", "ai_feedback")},
        "DROP TABLE ai_feedback",
        says="belongs to the AI database",
    ),
    "an AI table in Core that is built no more": Damage(
        "core",
        "CREATE TABLE ai_insights (id uuid)",
        {("table of the other database", "ai_insights")},
        "DROP TABLE ai_insights",
    ),
    "a Core table in AI": Damage(
        "ai",
        "CREATE TABLE users (id uuid)",
        {("table of the other database", "users")},
        "DROP TABLE users",
        says="belongs to the Core database",
    ),
    "an unlogged table": Damage(
        "core",
        "ALTER TABLE pairwise_correlations SET UNLOGGED",
        {("table persistence", "pairwise_correlations")},
    ),
    "row security": Damage(
        "core",
        "ALTER TABLE positions ENABLE ROW LEVEL SECURITY",
        {("table row security", "positions")},
    ),
    "a missing column": Damage(
        "core",
        "ALTER TABLE positions DROP COLUMN notes",
        {("missing column", "positions.notes")},
        says="ALTER TABLE positions ADD COLUMN notes character varying NULL",
    ),
    "an extra column": Damage(
        "core",
        "ALTER TABLE positions ADD COLUMN mood text",
        {("unexpected column", "positions.mood")},
        "ALTER TABLE positions DROP COLUMN mood",
    ),
    "another type": Damage(
        "core",
        "ALTER TABLE positions ALTER COLUMN notes TYPE text",
        {("column type", "positions.notes")},
    ),
    "another numeric width": Damage(
        "core",
        "ALTER TABLE positions ALTER COLUMN quantity TYPE numeric(16, 6)",
        {("column type", "positions.quantity")},
    ),
    "another collation": Damage(
        "core",
        'ALTER TABLE positions ALTER COLUMN notes TYPE varchar COLLATE "POSIX"',
        {("column type", "positions.notes")},
    ),
    "another vector width": Damage(
        "ai",
        DROP_HNSW
        + "ALTER TABLE ai_kb_documents ALTER COLUMN embedding TYPE vector(256); "
        + HNSW_DEFAULT,
        {("column type", "ai_kb_documents.embedding")},
    ),
    "a column that accepts NULL": Damage(
        "core",
        "ALTER TABLE users ALTER COLUMN full_name DROP NOT NULL",
        {("column nullability", "users.full_name")},
    ),
    "a column that refuses NULL": Damage(
        "core",
        "ALTER TABLE positions ALTER COLUMN notes SET NOT NULL",
        {("column nullability", "positions.notes")},
    ),
    "a NOT NULL that old rows may break": Damage(
        "core",
        "ALTER TABLE users ALTER COLUMN full_name DROP NOT NULL;"
        "ALTER TABLE users ADD CONSTRAINT named NOT NULL full_name NOT VALID",
        {("column nullability", "users.full_name")},
    ),
    "a missing default": Damage(
        "core",
        "ALTER TABLE tags_v2 ALTER COLUMN display_order DROP DEFAULT",
        {("column default", "tags_v2.display_order")},
        says="ALTER COLUMN display_order SET DEFAULT 0",
    ),
    "a default that froze": Damage(
        "core",
        "ALTER TABLE batch_run_tracking ALTER COLUMN created_at SET DEFAULT timestamptz 'now'",
        {("column default", "batch_run_tracking.created_at")},
    ),
    "a default where none is built": Damage(
        "core",
        "ALTER TABLE users ALTER COLUMN full_name SET DEFAULT 'nobody'",
        {("column default", "users.full_name")},
        says="ALTER COLUMN full_name DROP DEFAULT",
    ),
    "a stored column": Damage(
        "core",
        DROP_NOTES + "ADD COLUMN notes varchar GENERATED ALWAYS AS (symbol) STORED",
        {("column default", "positions.notes")},
    ),
    "a virtual column": Damage(
        "core",
        DROP_NOTES + "ADD COLUMN notes varchar GENERATED ALWAYS AS (symbol) VIRTUAL",
        {("column default", "positions.notes")},
    ),
    "a default that became an identity": Damage(
        "core",
        "ALTER TABLE tags_v2 ALTER COLUMN display_order DROP DEFAULT,"
        " ALTER COLUMN display_order ADD GENERATED BY DEFAULT AS IDENTITY",
        {
            ("column default", "tags_v2.display_order"),
            ("unexpected sequence", "tags_v2_display_order_seq"),
        },
    ),
    "an identity column": Damage(
        "core",
        "ALTER TABLE positions ADD COLUMN number int GENERATED ALWAYS AS IDENTITY",
        {
            ("unexpected column", "positions.number"),
            ("unexpected sequence", "positions_number_seq"),
        },
        "ALTER TABLE positions DROP COLUMN number",
    ),
    "a missing check": Damage("core", DROP_COLOR, {("missing constraint", COLOR)}),
    "a check of the same name with another expression": Damage(
        "core",
        DROP_COLOR + ADD_COLOR + "(color <> '')",
        {("constraint definition", COLOR)},
    ),
    "a check that is NOT VALID": Damage(
        "core",
        DROP_COLOR + ADD_COLOR + COLOR_RULE + " NOT VALID",
        {("constraint validity", COLOR)},
        says="VALIDATE CONSTRAINT ck_tags_v2_valid_hex_color",
    ),
    "an extra check": Damage(
        "core",
        "ALTER TABLE positions ADD CONSTRAINT positive CHECK (quantity > 0)",
        {("unexpected constraint", "positions.positive")},
        "ALTER TABLE positions DROP CONSTRAINT positive",
    ),
    "a foreign key with another action": Damage(
        "core",
        "ALTER TABLE position_realized_events"
        " DROP CONSTRAINT fk_position_realized_events_position_id_positions,"
        " ADD CONSTRAINT fk_position_realized_events_position_id_positions"
        " FOREIGN KEY (position_id) REFERENCES positions",
        {("constraint definition", EVENTS_KEY)},
    ),
    "a foreign key whose triggers are off": Damage(
        "core",
        "ALTER TABLE position_realized_events DISABLE TRIGGER ALL",
        {("constraint validity", EVENTS_KEY), ("constraint validity", EVENTS_OTHER_KEY)},
        says="ENABLE TRIGGER ALL",
    ),
    "triggers off on the table that keys refer to": Damage(
        "core",
        "ALTER TABLE users DISABLE TRIGGER ALL",
        {("constraint validity", key) for key in KEYS_TO_USERS},
        says="ENABLE TRIGGER ALL",
    ),
    "a foreign key that is not enforced": Damage(
        "core",
        "ALTER TABLE position_realized_events ALTER CONSTRAINT"
        " fk_position_realized_events_position_id_positions NOT ENFORCED",
        {("constraint definition", EVENTS_KEY)},
    ),
    "a missing unique constraint": Damage(
        "core",
        "ALTER TABLE position_factor_exposures DROP CONSTRAINT uq_position_factor_date",
        {("missing constraint", "position_factor_exposures.uq_position_factor_date")},
    ),
    "a missing index": Damage(
        "core",
        "DROP INDEX idx_pairwise_correlations_calculation",
        {("missing index", PAIRS)},
        says="CREATE INDEX idx_pairwise_correlations_calculation ON public.pair",
    ),
    "an extra index": Damage(
        "core",
        "CREATE INDEX mine ON users (full_name)",
        {("unexpected index", "users.mine")},
        "DROP INDEX mine",
    ),
    "an extra index on an expression": Damage(
        "core",
        "CREATE INDEX mine ON users (lower(email))",
        {("unexpected index", "users.mine")},
        "DROP INDEX mine",
    ),
    "an index with another method": Damage(
        "core",
        "DROP INDEX idx_pairwise_correlations_calculation;"
        "CREATE INDEX idx_pairwise_correlations_calculation"
        " ON pairwise_correlations USING hash (correlation_calculation_id)",
        {("index definition", PAIRS)},
    ),
    "a unique index that is plain": Damage(
        "core",
        "DROP INDEX ix_users_email; CREATE INDEX ix_users_email ON users (email)",
        {("index definition", "users.ix_users_email")},
    ),
    "a partial index with another predicate": Damage(
        "core",
        DROP_VALID_PRICES + VALID_PRICES_SQL + "WHERE close >= 0",
        {("index definition", VALID_PRICES)},
    ),
    "an index on other columns": Damage(
        "core",
        "DROP INDEX ix_positions_symbol; CREATE INDEX ix_positions_symbol ON positions (id)",
        {("index definition", "positions.ix_positions_symbol")},
    ),
    "a vector index with another operator class": Damage(
        "ai",
        DROP_HNSW + HNSW_SQL + "(embedding vector_l2_ops) WITH (m = 16, ef_construction = 64)",
        {("index definition", HNSW)},
    ),
    "a vector index with other parameters": Damage(
        "ai",
        DROP_HNSW + HNSW_SQL + "(embedding vector_cosine_ops) WITH (m = 8, ef_construction = 64)",
        {("index definition", HNSW)},
    ),
    "a vector index with another method": Damage(
        "ai",
        DROP_HNSW + HNSW_DEFAULT.replace("hnsw (", "ivfflat (").split(" WITH")[0],
        {("index definition", HNSW)},
    ),
    "an index that a failed build left INVALID": Damage(
        "core",
        SET_INDEX_INVALID + "'ix_positions_symbol'::regclass",
        {("index validity", "positions.ix_positions_symbol")},
    ),
    "an omitted index": Damage(
        "core",
        "CREATE INDEX idx_snapshots_portfolio_date"
        " ON portfolio_snapshots (portfolio_id, snapshot_date)",
        {("redundant index", "portfolio_snapshots.idx_snapshots_portfolio_date")},
        "DROP INDEX idx_snapshots_portfolio_date",
    ),
    "an omitted constraint": Damage(
        "core",
        "ALTER TABLE portfolio_snapshots ADD CONSTRAINT uq_portfolio_snapshot_date"
        " UNIQUE (portfolio_id, snapshot_date)",
        {("redundant constraint", "portfolio_snapshots.uq_portfolio_snapshot_date")},
        "ALTER TABLE portfolio_snapshots DROP CONSTRAINT uq_portfolio_snapshot_date",
    ),
    "an index with an omitted one's name on another table": Damage(
        "core",
        "CREATE INDEX idx_snapshots_portfolio_date ON users (full_name)",
        {("unexpected index", "users.idx_snapshots_portfolio_date")},
        "DROP INDEX idx_snapshots_portfolio_date",
    ),
    "an extra trigger": Damage(
        "core",
        ADD_TRIGGER + "FOR EACH ROW EXECUTE FUNCTION ops.noop()",
        {("unexpected trigger", "users.spy")},
        "DROP FUNCTION ops.noop CASCADE",
    ),
    "enum values in another order": Damage(
        "core",
        "ALTER TABLE equity_changes ALTER COLUMN change_type TYPE text;"
        "DROP TYPE equity_change_type;"
        "CREATE TYPE equity_change_type AS ENUM ('WITHDRAWAL', 'CONTRIBUTION');"
        "ALTER TABLE equity_changes ALTER COLUMN change_type TYPE equity_change_type"
        " USING change_type::equity_change_type",
        {("enum values", "equity_change_type")},
        "ALTER TABLE equity_changes ALTER COLUMN change_type TYPE text;"
        "DROP TYPE equity_change_type;"
        "CREATE TYPE equity_change_type AS ENUM ('CONTRIBUTION', 'WITHDRAWAL');"
        "ALTER TABLE equity_changes ALTER COLUMN change_type TYPE equity_change_type"
        " USING change_type::equity_change_type",
    ),
    "another enum value": Damage(
        "core",
        "ALTER TYPE equity_change_type RENAME VALUE 'CONTRIBUTION' TO 'GIFT'",
        {("enum values", "equity_change_type")},
        "ALTER TYPE equity_change_type RENAME VALUE 'GIFT' TO 'CONTRIBUTION'",
    ),
    "an extra enum": Damage(
        "ai",
        "CREATE TYPE mood AS ENUM ('good', 'bad')",
        {("unexpected enum", "mood")},
        "DROP TYPE mood",
    ),
    "an extra sequence": Damage(
        "core",
        "CREATE SEQUENCE counter",
        {("unexpected sequence", "counter")},
        "DROP SEQUENCE counter",
    ),
    "a missing vector extension": Damage(
        "ai",
        DROP_HNSW + "ALTER TABLE ai_kb_documents DROP COLUMN embedding; DROP EXTENSION vector",
        {
            ("missing extension", "vector"),
            ("missing column", "ai_kb_documents.embedding"),
            ("missing index", HNSW),
        },
    ),
    "an old vector extension": Damage(
        "ai",
        "UPDATE pg_extension SET extversion = '0.8.3' WHERE extname = 'vector'",
        {("extension version", "vector")},
        says="CVE-2026-3172",
    ),
    "an extra extension": Damage(
        "core",
        "CREATE EXTENSION vector",
        {("unexpected extension", "vector")},
        "DROP EXTENSION vector",
    ),
    "an unknown revision": Damage(
        "core",
        "UPDATE alembic_version SET version_num = 'fffe'",
        {("revision", "alembic_version")},
    ),
    "no revision": Damage(
        "ai",
        "DROP TABLE alembic_version",
        {("revision", "alembic_version")},
        says="records revision none, the head of the chain is 0001",
    ),
    "two revisions": Damage(
        "core",
        "INSERT INTO alembic_version VALUES ('0002')",
        {("revision", "alembic_version")},
        says="0001, 0002",
    ),
}

# Damages that one database can have at the same time: every kind that drift names.
TOGETHER = (
    (
        "a missing table",
        "an unknown table with a dot in its name",
        "a view where a table is expected",
        "an AI table in Core",
        "an unlogged table",
        "row security",
        "a missing column",
        "an extra column",
        "another numeric width",
        "a column that accepts NULL",
        "a missing default",
        "a default where none is built",
        "an identity column",
        "a missing unique constraint",
        "a foreign key with another action",
        "a check that is NOT VALID",
        "triggers off on the table that keys refer to",
        "an extra check",
        "a missing index",
        "an extra index",
        "a unique index that is plain",
        "an index that a failed build left INVALID",
        "an omitted index",
        "an omitted constraint",
        "an extra trigger",
        "enum values in another order",
        "an extra sequence",
        "an extra extension",
        "two revisions",
    ),
    ("a Core table in AI", "an old vector extension", "an extra enum", "no revision"),
    # Of the same objects as some of these.
    ("a default that became an identity", "an unknown revision"),
    ("a missing vector extension",),
)
