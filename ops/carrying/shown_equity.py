"""Whether users see the equity that they saw before: legacy's newest snapshots beside ours."""

from dataclasses import replace

from psycopg import sql

from ops.books.ledger import read_ledger
from ops.copy.groups import TableSpec
from ops.copy.rejects import forget_rejects
from ops.copy.report import Meter, ignore_progress
from ops.copy.sessions import Sessions
from ops.copy.staging import stage
from ops.sql_files import statement

# By portfolio and day, since the new pair's row of a computed day has an id of its own.
_SNAPSHOTS = TableSpec("portfolio_snapshots", ("portfolio_id", "snapshot_date"))


def other_equities(sessions: Sessions) -> tuple[str, ...]:
    """The portfolios whose equity differs by more than a cent on the day of legacy's newest
    snapshot of each, up to the last day that the backfill computed, with both figures."""
    ledger, plan = read_ledger(sessions.core), sessions.plan(_SNAPSHOTS)
    if ledger is None or plan is None or plan.counts is None or "equity_balance" not in plan.names:
        return ()
    newest = sql.SQL(
        "NOT {copied} AND (portfolio_id::text, {day}) IN (SELECT portfolio_id::text,"
        " max({day}) FROM {table} WHERE {day} <= {last} GROUP BY 1)"
    ).format(
        copied=plan.counts,
        day=_DAY,
        table=plan.source.identifier,
        last=sql.Literal(ledger.last.isoformat()),
    )
    target, plan = sessions.target(plan.spec), replace(plan, counts=None)
    with target.transaction(undone=True):
        forget_rejects(target.books, plan.table)
        stage(sessions.legacy, target, plan, Meter(plan.table, 0, ignore_progress), newest)
        rows = target.session.execute(statement("carrying/other_equities")).fetchall()
    return tuple(row[0] for row in rows)


# As text, because an old database may hold days as such.
_DAY = sql.SQL('left(snapshot_date::text, 10) COLLATE "C"')
