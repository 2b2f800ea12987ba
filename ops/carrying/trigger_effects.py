"""What the old database's own triggers did to users' rows beside those that were carried back."""

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from ops.carrying.import_target import Target
from ops.carrying.import_writing import has_triggers
from ops.copy.catalogue import read_relations
from ops.sql_files import statement
from ops.user_tables import USER_TABLES

_NO_STAGING = sql.SQL("(SELECT NULL::uuid AS loss_key, NULL AS loss_state, NULL AS loss_change)")


class TriggerEffects:
    """Compares the tables of an open transaction, which no other session may write to, with what
    they were when this was made; without triggers there is nothing to compare."""

    def __init__(self, legacy: psycopg.Connection, schema: str, targets: Sequence[Target]) -> None:
        self._legacy = legacy
        self._staging = {target.table.name: target.staging for target in targets}
        wanted = [table.name for table in USER_TABLES] if has_triggers(legacy, targets) else []
        found = read_relations(legacy, wanted, schema)
        self._tables = {name: one.identifier for name, one in found.items() if "id" in one.columns}
        self._before = self._count("rows_left")

    def found(self) -> Mapping[str, int]:
        """Table → rows that triggers changed, added or removed, at least."""
        written, left = self._count("written_beside"), self._count("rows_left")
        found = {
            name: written[name] + max(0, self._before[name] - left[name]) for name in self._tables
        }
        return {name: rows for name, rows in found.items() if rows}

    def _count(self, name: str) -> dict[str, int]:
        """A number of each table."""
        return {
            table: self._one(
                sql.SQL(statement(f"carrying/{name}").decode()).format(
                    table=identifier, staging=self._staging.get(table, _NO_STAGING)
                )
            )
            for table, identifier in self._tables.items()
        }

    def _one(self, query: sql.Composed) -> int:
        row = self._legacy.execute(query).fetchone()
        return int(row[0]) if row else 0
