"""One old database and no other: a copy from a second one would delete the rows of the first.

A restored dump or an upgraded server is another database by its identity. It is accepted once, when
everything that was copied is still in it, but for rows that users have deleted since.
"""

from psycopg import sql
from sqlalchemy.engine import URL

from ops.books.copies import last_fingerprint, last_fingerprints
from ops.books.copy_source import record_source
from ops.connection import connect, explained, shown_address
from ops.copy.errors import OtherLegacyError
from ops.copy.groups import GROUPS, TableSpec, specs_of
from ops.copy.keys import gone_keys, has_copied_keys
from ops.copy.plan import TablePlan
from ops.copy.report import Guard, no_guard
from ops.copy.sessions import Sessions, copy_sessions


def copied_groups(core_url: URL) -> tuple[str, ...]:
    """The groups of which a table was ever copied, in the order in which they are copied."""
    with explained(core_url), connect(core_url, application_name="copied groups") as core:
        copied = last_fingerprints(core)
    return tuple(
        group for group, specs in GROUPS.items() if any(spec.table in copied for spec in specs)
    )


def accept_source(
    legacy_url: URL,
    core_url: URL,
    ai_url: URL | None,
    guard: Guard = no_guard,
    deleted: int = 0,
) -> None:
    """Let the database that answers now be the one that is copied from, whichever was before.

    Args:
        deleted: how many rows that were copied it may lack; the next copy deletes them here too.

    Raises:
        OtherLegacyError: it lacks keys or rows that were copied; nothing was changed.
    """
    groups = copied_groups(core_url)
    if not groups:
        return
    with copy_sessions(legacy_url, core_url, ai_url, groups, any_source=True) as sessions:
        lacking = {
            spec.table: rows
            for group in groups
            for spec in specs_of(group)
            if (rows := _lacking(sessions, spec))
        }
        if (total := sum(lacking.values())) > deleted:
            found = ", ".join(f"{rows:,} rows of {table}" for table, rows in lacking.items())
            raise OtherLegacyError(
                f"legacy at {shown_address(legacy_url)} lacks what was copied before ({found}); "
                "correct LEGACY_DATABASE_URL or, if all of it was deleted since, accept that by "
                f"--accept-deleted {total}"
            )
        with sessions.core.transaction():
            record_source(sessions.core, sessions.source)
            guard(sessions.core)


def _lacking(sessions: Sessions, spec: TableSpec) -> int:
    """How many rows that were copied are not there: of a table that is gone, all of them."""
    last = last_fingerprint(sessions.core, spec.table)
    if last is None:
        return 0
    plan = sessions.plan(spec)
    if plan is None:
        return last.source_rows
    return _gone(sessions, plan) or max(0, last.source_rows - _rows(sessions, plan))


def _gone(sessions: Sessions, plan: TablePlan) -> int:
    """How many of the keys that were copied are not there; none where no keys are kept."""
    books = sessions.core
    if not has_copied_keys(books, plan.table):
        return 0
    with books.transaction(force_rollback=True):
        return sum(len(keys) for keys in gone_keys(sessions.legacy, books, plan))


def _rows(sessions: Sessions, plan: TablePlan) -> int:
    with sessions.legacy.reading(plan.table):
        query = sql.SQL("SELECT count(*) FROM {}").format(plan.source_rows)
        found = sessions.legacy.connection.execute(query).fetchone()
    return int(found[0]) if found else 0
