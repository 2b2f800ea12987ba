"""What the old database's own triggers did to users' rows beside those that were carried back."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import psycopg
from psycopg import sql

from ops.carrying.target import Target, own_triggers, read_targets
from ops.sql_files import statement
from ops.user_tables import CONTENT_DIGITS, USER_TABLES

_BASELINE = """
SELECT key, digest FROM ops.cutover_baseline WHERE table_name = %s AND key = ANY(%s)
"""
# The rows that this transaction has written and that were not carried.
_WRITTEN_BESIDE = sql.SQL(
    "age(r.xmin) <= age(pg_current_xact_id()::xid) AND NOT EXISTS"
    " (SELECT FROM cutover_changes AS c WHERE c.table_name = {} AND c.key = r.id)"
)


class TriggerEffects:
    """Compares users' tables in an open transaction, to which no other session may write, with what
    they were when this was made. Without triggers there is nothing to compare.

    Args:
        targets: those that changes are staged for.
    """

    def __init__(self, legacy: psycopg.Connection, schema: str, targets: Sequence[Target]) -> None:
        self._targets: list[Target] = []
        if own_triggers(legacy, targets):
            every = read_targets(legacy, USER_TABLES, schema)
            self._targets = [target for target in every if target.relation is not None]
        self._before = self._left()

    def found(self, core: psycopg.Connection) -> Mapping[str, int]:
        """Table → rows that triggers changed, added or removed, at least.

        Args:
            core: holds the baseline, which says what such rows were.
        """
        left = self._left()
        found = {
            target.table.name: _changed(core, target)
            + max(0, self._before[target.table.name] - left[target.table.name])
            for target in self._targets
        }
        return {name: rows for name, rows in found.items() if rows}

    def _left(self) -> dict[str, int]:
        """Rows of each table beside those that were carried."""
        query, found = sql.SQL(statement("carrying/rows_left").decode()), {}
        for target in self._targets:
            name = target.table.name
            row = target.session.execute(query.format(table=target.name, name=name)).fetchone()
            found[name] = int(row[0]) if row else 0
        return found


def _changed(core: psycopg.Connection, target: Target) -> int:
    beside = target.as_declared(_WRITTEN_BESIDE.format(target.table.name))
    query = sql.SQL("SELECT id, digest FROM ({}) AS t").format(beside)
    now: dict[UUID, str] = dict(target.session.execute(query).fetchall())
    were: dict[UUID, str] = dict(core.execute(_BASELINE, [target.table.name, list(now)]).fetchall())
    return sum(now[key][:CONTENT_DIGITS] != were.get(key, "")[:CONTENT_DIGITS] for key in now)
