"""What the old database's own triggers did to users' rows beside those that were carried back."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import psycopg
from psycopg import sql

from ops.carrying.import_staging import make_staging
from ops.carrying.import_target import Target, read_target
from ops.carrying.import_writing import has_triggers
from ops.sql_files import statement
from ops.user_tables import CONTENT_DIGITS, USER_TABLES, content_digest

_BASELINE = """
SELECT key, digest FROM ops.cutover_baseline WHERE table_name = %s AND key = ANY(%s)
"""


class TriggerEffects:
    """Compares users' tables in an open transaction, to which no other session may write, with what
    they were when this was made. Without triggers there is nothing to compare.

    Args:
        targets: those that rows are staged for.
    """

    def __init__(self, legacy: psycopg.Connection, schema: str, targets: Sequence[Target]) -> None:
        self._legacy = legacy
        self._targets: list[Target] = []
        if has_triggers(legacy, targets):
            staged = {target.table.name: target for target in targets}
            self._targets = [
                target
                for table in USER_TABLES
                if (target := staged.get(table.name) or read_target(legacy, table, schema)).relation
            ]
            for target in self._targets:
                if target.table.name not in staged:
                    make_staging(legacy, target)
        self._before = self._left()

    def found(self, core: psycopg.Connection) -> Mapping[str, int]:
        """Table → rows that triggers changed, added or removed, at least.

        Args:
            core: holds the baseline, which says what such rows were.
        """
        left = self._left()
        found = {
            target.table.name: self._changed(core, target)
            + max(0, self._before[target.table.name] - left[target.table.name])
            for target in self._targets
        }
        return {name: rows for name, rows in found.items() if rows}

    def _left(self) -> dict[str, int]:
        """Rows of each table beside those that were carried."""
        found = {}
        for target in self._targets:
            row = self._legacy.execute(_formatted("rows_left", target)).fetchone()
            found[target.table.name] = int(row[0]) if row else 0
        return found

    def _changed(self, core: psycopg.Connection, target: Target) -> int:
        self._legacy.execute(_formatted("written_beside", target))
        query = sql.SQL(
            "SELECT t.id, {} FROM ({}) AS t JOIN {} AS s ON s.loss_key = t.id"
            " WHERE s.loss_state = 'beside'"
        ).format(content_digest(target.table, "t"), target.as_declared(), target.staging)
        now: dict[UUID, str] = dict(self._legacy.execute(query).fetchall())
        were: dict[UUID, str] = dict(
            core.execute(_BASELINE, [target.table.name, list(now)]).fetchall()
        )
        return sum(now[key][:CONTENT_DIGITS] != were.get(key, "")[:CONTENT_DIGITS] for key in now)


def _formatted(name: str, target: Target) -> sql.Composed:
    query = statement(f"carrying/{name}").decode()
    return sql.SQL(query).format(table=target.name, staging=target.staging)
