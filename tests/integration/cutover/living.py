"""A generated installation of other users: its old database, and its rows compared by SQL that
shares nothing with the product's hashes."""

from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import create_engine, pool
from sqlalchemy.engine import URL

from app.models import AiBase
from ops.backfill.planning import BackfillRequest
from ops.connection import connect
from ops.reference_data import factor_definitions, stress_scenarios
from tests.backfilling import backfill
from tests.integration.backfill.book import copy_closes, insert_row
from tests.integration.backfill.market import made_up_closes

SCHEMA = "sigma"
HISTORY_FROM = date(2025, 6, 16)
"""When the old system took its first snapshots."""
FIRST, LAST = date(2025, 7, 1), date(2025, 7, 15)
"""The ten sessions that the new pair computes."""
INSIGHTS = 25
REJECTED = {"positions": "nameless", "ai_feedback": "of nothing"}
"""A row of each of these tables fits nowhere; its id is the digest of this name."""
MARKED = 3
"""Documents that bear the product's mark, and that it does not ship."""
ANOTHER_EQUITY = "Book 22"
"""It lacks the snapshot of the session before the first computed day."""
TABLES = {
    "users": "core",
    "portfolios": "core",
    "positions": "core",
    "equity_changes": "core",
    "position_realized_events": "core",
    "tags_v2": "core",
    "position_tags": "core",
    "portfolio_target_prices": "core",
    "position_greeks": "core",
    "portfolio_snapshots": "core",
    "stress_test_scenarios": "core",
    "benchmarks_sector_weights": "core",
    "agent_conversations": "core",
    "agent_messages": "core",
    "ai_memories": "ai",
    "ai_feedback": "ai",
    "ai_kb_documents": "ai",
}
"""What the installation's users have, and in which half it is afterwards."""
_MADE_ANEW = {
    "stress_test_scenarios": {"id", "created_at", "updated_at"},
    "benchmarks_sector_weights": {"id", "created_at", "updated_at"},
}
_FOLDER = Path(__file__).parent
_HOLES = """
DELETE FROM market_data_cache WHERE symbol = 'S11' AND date IN ('2025-07-09', '2025-07-10');
DELETE FROM market_data_cache WHERE symbol = 'S09' AND date > '2025-03-14';
"""


def make_living(url: URL, portfolios: int) -> None:
    """Fill a migrated Core database, let its own batch compute it, and make it old."""
    engine = create_engine(url, poolclass=pool.NullPool)
    with connect(url, application_name="tests") as session:
        session.execute("CREATE EXTENSION IF NOT EXISTS vector")
        session.commit()
        AiBase.metadata.create_all(engine)
        copy_closes(session, made_up_closes().loc[:LAST])
        for definition in factor_definitions():
            insert_row(session, "factor_definitions", definition)
        for scenario in stress_scenarios():
            insert_row(session, "stress_test_scenarios", scenario)
        session.execute(_HOLES.encode())
        session.execute("SELECT set_config('living.portfolios', %s, false)", [str(portfolios)])
        session.execute(script("living"))
    assert not backfill(url, BackfillRequest(HISTORY_FROM, LAST)).failures
    with connect(url, application_name="tests") as session:
        session.execute(script("living_aged"))


def script(name: str) -> bytes:
    """Statements of this folder."""
    return _FOLDER.joinpath(f"{name}.sql").read_bytes()


def rows_apart(
    legacy: URL,
    core: URL,
    ai: URL,
    apart: Mapping[str, Collection[str]],
    snapshots_before: date = date.max,
) -> dict[str, tuple[int, int]]:
    """By table, how many rows only the old database has, and how many only the new pair; tables
    that agree are left out, and so is what no pair takes over.

    Args:
        apart: columns that are not compared.
        snapshots_before: the day from which snapshots are not.
    """
    found = {}
    for table, half in TABLES.items():
        left_out = {*apart.get(table, ()), *_MADE_ANEW.get(table, ())}
        with (
            connect(legacy, application_name="tests") as old,
            connect(core if half == "core" else ai, application_name="tests") as new,
        ):
            columns = [name for name in _columns(new, "public", table) if name not in left_out]
            before = _digests(old, SCHEMA, table, columns, snapshots_before)
            now = _digests(new, "public", table, columns, snapshots_before)
        only = len(before - now), len(now - before)
        if any(only):
            found[table] = only
    return found


def _columns(session: psycopg.Connection, schema: str, table: str) -> list[str]:
    query = "SELECT column_name FROM information_schema.columns WHERE (table_schema, table_name) = "
    return [row[0] for row in session.execute(query + "(%s, %s) ORDER BY 1", [schema, table])]


def _digests(
    session: psycopg.Connection,
    schema: str,
    table: str,
    columns: Collection[str],
    snapshots_before: date,
) -> set[str]:
    """The md5 of each row, its columns as texts one after the other, JSON in one spelling."""
    query = sql.SQL(
        "SELECT md5(jsonb_build_array({})::text) FROM {} AS t, to_jsonb(t) AS said"
        " WHERE said -> 'metadata' ->> 'seed' IS DISTINCT FROM 'builtin' AND id <> md5({})::uuid"
        " AND coalesce((said ->> 'snapshot_date')::date < {}, true)"
    ).format(
        sql.SQL(", ").join(sql.SQL("said -> {}").format(sql.Literal(name)) for name in columns),
        sql.Identifier(schema, table),
        sql.Literal(REJECTED.get(table, "")),
        sql.Literal(snapshots_before),
    )
    rows = [row[0] for row in session.execute(query)]
    assert len(set(rows)) == len(rows) > 0, f"{table} says nothing"
    return set(rows)
