"""The baseline of a rollback's price: what users owned as the swap left it."""

from datetime import UTC, datetime

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from ops.carrying.changes import Changes, find_changes, pair_sessions, states_of
from ops.copy.report import Guard, no_guard
from ops.sql_files import statement


def record_baseline(core_url: URL, ai_url: URL, *, guard: Guard = no_guard) -> int:
    """Make the baseline say what the user-owned rows of Core and AI are now; how many it has.

    It is one transaction in Core. What the baseline says already is not written again, so that a
    second recording soon after the first, while requests wait, takes the time of what was written
    between them.

    Args:
        guard: called with Core's connection as the last act of the transaction.
    """
    with pair_sessions(core_url, ai_url, "baseline") as (core, ai):
        bring_baseline(core, ai, guard)
        row = core.execute("SELECT count(*) FROM ops.cutover_baseline").fetchone()
    return int(row[0]) if row else 0


def bring_baseline(core: psycopg.Connection, ai: psycopg.Connection, guard: Guard) -> None:
    """`record_baseline` over sessions that are open."""
    with core.transaction(), ai.transaction():
        row = core.execute("SELECT seen FROM ops.cutover_baseline_moment").fetchone()
        before = states_of(row[0]) if row else {}  # void or not
        changes = Changes(core, ai, datetime.now(UTC))
        find_changes(changes, before)
        remember_changes(core)
        documents = Jsonb({name: one.document() for name, one in changes.seen.items()})
        core.execute(statement("carrying/baseline_now"), {"seen": documents})
        if not before:
            core.execute("ANALYZE ops.cutover_baseline")
        guard(core)


def remember_changes(core: psycopg.Connection) -> None:
    """Have the baseline say of each changed row what it is now."""
    core.execute(statement("carrying/baseline_remember"))
