"""Whether the old database could take users' rows back, asked before a swap.

The code that carries rows back inserts, changes and deletes one made-up row in each user-owned
table, and undoes it all. A made-up row is a real one of the new pair under an id of its own, with
the made-up rows that it belongs to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.carrying.changes import pair_sessions
from ops.carrying.staging import make_staging, stage_rows
from ops.carrying.target import Target, lent_value, own_triggers, read_target
from ops.carrying.writing import NOT_TAKEN, write_staged
from ops.connection import explained
from ops.copy.groups import references_of
from ops.copy.stream import csv_of
from ops.legacy_schema import enter_legacy
from ops.user_tables import USER_TABLES, Half, UserTable, content_digest
from ops.write_lock.lock import writing_session

_LOCK_TIMEOUT = "5s"
# What is done with a row in turn: its kind, the digest before, whether the row is gone after.
_CHANGES = (("inserted", None, False), ("updated", "", False), ("deleted", "", True))


@dataclass(frozen=True)
class WayBack:
    """What was found.

    Attributes:
        refused: table → why the old database did not take the made-up row.
        untried: table → why none was tried.
    """

    refused: Mapping[str, str]
    untried: Mapping[str, str]


def try_way_back(core_url: URL, ai_url: URL, legacy_url: URL) -> WayBack:
    """Try it in a transaction that is undone, while users work in the old database.

    Raises:
        LegacySchemaError: see `ops.legacy_schema.enter_legacy`.
        BusyError, ConfigurationError: see `ops.connection.explained`.
    """
    with (
        pair_sessions(core_url, ai_url, "way back") as (core, ai),
        explained(legacy_url),
        writing_session(legacy_url, "way back") as legacy,
        legacy.transaction(force_rollback=True),
    ):
        legacy.execute("SELECT set_config('lock_timeout', %s, true)", [_LOCK_TIMEOUT])
        schema = enter_legacy(legacy, legacy_url, [table.name for table in USER_TABLES]).name
        targets = [read_target(legacy, table, schema) for table in USER_TABLES]
        make_staging(legacy, targets)
        made_up = _MadeUp({"core": core, "ai": ai})
        for target in targets:
            made_up.stage(target)
        return WayBack(_refused(legacy, made_up.targets), made_up.untried)


class _MadeUp:
    """Made-up rows of the tables that can be tried, staged."""

    def __init__(self, pair: Mapping[Half, psycopg.Connection]) -> None:
        self._pair = pair
        self.targets: list[Target] = []
        self.untried: dict[str, str] = {}
        self._ids: dict[str, UUID] = {}

    def stage(self, target: Target) -> None:
        """Stage a row for a table, or say why not."""
        name = target.table.name
        if target.relation is None:
            self.untried[name] = "the old database has no such table"
        elif triggers := own_triggers(target.session, [target]):
            self.untried[name] = f"it has triggers of its own ({', '.join(triggers)})"
        else:
            self._ids[name] = uuid4()
            session = self._pair[target.table.database]
            if stage_rows(target, csv_of(session, self._row(target))):
                self.targets.append(target)
            else:
                self.untried[name] = "there is no row yet"
                del self._ids[name]

    def _row(self, target: Target) -> sql.Composed:
        table, own = target.table, target.lendable()
        values = sql.SQL(", ").join(self._value(table, name, own) for name in table.columns)
        return sql.SQL("SELECT 'inserted', {}, NULL, '', {} FROM {} LIMIT 1").format(
            sql.Literal(self._ids[table.name]), values, sql.Identifier("public", table.name)
        )

    def _value(self, table: UserTable, column: str, lent: Mapping[str, bool]) -> sql.Composable:
        own, key = sql.Identifier(column), sql.Literal(str(self._ids[table.name]))
        if column == "id":
            return key
        if column in lent:
            return lent_value(key, is_text=lent[column])
        parent = self._ids.get(references_of(table.name).get(column, ""))
        if parent is None:
            return sql.SQL("{}::text").format(own)
        return sql.SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(own, sql.Literal(str(parent)))


def _refused(legacy: psycopg.Connection, targets: Sequence[Target]) -> dict[str, str]:
    for change, before, gone in _CHANGES:
        for target in targets:
            digest = sql.NULL if gone else content_digest(target.table, "s")
            legacy.execute(
                sql.SQL(
                    "UPDATE {} AS s SET change = {}, state = 'pending', before = {}, after = {},"
                    " id = CASE WHEN NOT {} THEN id END"
                ).format(target.staging, change, before, digest, gone)
            )
        write_staged(legacy, targets)
        refused = legacy.execute(
            "SELECT table_name, change || ': ' || reason FROM cutover_changes"
            " WHERE state = ANY(%s)",
            [NOT_TAKEN],
        ).fetchall()
        if refused:
            return dict(refused)
    return {}
