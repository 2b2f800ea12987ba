"""Whether users see the equity that they saw before: legacy's newest snapshots beside ours."""

from dataclasses import replace

from psycopg import sql

from ops.books.ledger import read_ledger
from ops.copy.groups import TableSpec
from ops.copy.plan import TablePlan
from ops.copy.rejects import forget_rejects
from ops.copy.report import Meter, ignore_progress
from ops.copy.sessions import Sessions
from ops.copy.staging import stage
from ops.sql_files import statement

# By portfolio and day, since the new pair's row of a computed day has an id of its own.
_SNAPSHOTS = TableSpec("portfolio_snapshots", ("portfolio_id", "snapshot_date"))


def other_equities(sessions: Sessions) -> tuple[str, ...]:
    """The portfolios whose equity differs by more than a cent on the newest day of legacy's
    snapshots up to the last one that the backfill computed, each with both figures."""
    ledger, plan = read_ledger(sessions.core), sessions.plan(_SNAPSHOTS)
    if ledger is None or plan is None or "equity_balance" not in plan.names:
        return ()
    day = _newest_day(sessions, plan, ledger.last.isoformat())
    return _differing(sessions, replace(plan, counts=None), day)


def _newest_day(sessions: Sessions, plan: TablePlan, last: str) -> str | None:
    """As text, because an old database may hold days as such."""
    query = sql.SQL("SELECT max(d) FROM (SELECT {} AS d FROM {}) AS days WHERE d <= {}").format(
        _DAY, plan.source.identifier, sql.Literal(last)
    )
    with sessions.legacy.reading(plan.table):
        row = sessions.legacy.connection.execute(query).fetchone()
    return row[0] if row else None


_DAY = sql.SQL('left(snapshot_date::text, 10) COLLATE "C"')


def _differing(sessions: Sessions, plan: TablePlan, day: str | None) -> tuple[str, ...]:
    """Stage legacy's rows of a day, if there is one, as a copy would, and undo it."""
    target = sessions.target(plan.spec)
    on_day = sql.SQL("{} = {}").format(_DAY, sql.Literal(day))
    with target.transaction(undone=True):
        forget_rejects(target.books, plan.table)
        stage(sessions.legacy, target, plan, Meter(plan.table, 0, ignore_progress), on_day)
        rows = target.session.execute(statement("carrying/other_equities")).fetchall()
    return tuple(row[0] for row in rows)
