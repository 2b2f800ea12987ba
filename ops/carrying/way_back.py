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
from ops.carrying.target import Target, lent_value, own_triggers, read_targets
from ops.carrying.writing import NOT_TAKEN, write_staged
from ops.connection import explained, writing_session
from ops.copy.catalogue import read_relations
from ops.copy.groups import references_of
from ops.copy.stream import csv_of
from ops.legacy_schema import enter_legacy
from ops.user_tables import USER_TABLES, content_digest

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
        targets = read_targets(legacy, USER_TABLES, schema)
        unusable = [one.table.name for one in targets if one.relation is None]
        if unusable and (other := read_relations(legacy, unusable, schema)):
            return WayBack(dict.fromkeys(other, "its id is no uuid there"), {})
        make_staging(legacy, targets)
        triggers = own_triggers(legacy, targets)
        untried, made_up = {}, dict[str, UUID]()
        for target in targets:
            name = target.table.name
            if reason := _reason_not_to(target, triggers):
                untried[name] = reason
            else:
                session, key = core if target.table.database == "core" else ai, uuid4()
                with csv_of(session, _row(target, key, made_up)) as row:
                    staged = stage_rows(target, row)
                if staged:
                    made_up[name] = key
                else:
                    untried[name] = "there is no row yet"
        tried = [target for target in targets if target.table.name in made_up]
        return WayBack(_refused(legacy, tried), untried)


def _reason_not_to(target: Target, triggers: Mapping[int, Sequence[str]]) -> str | None:
    if target.relation is None:
        return "the old database has no such table"
    own = triggers.get(target.relation.oid)
    return f"it has triggers of its own ({', '.join(own)})" if own else None


def _row(target: Target, key: UUID, made_up: Mapping[str, UUID]) -> sql.Composed:
    """A query, in the new pair, of a made-up row as it is staged.

    Args:
        made_up: table → the id of its made-up row, of those before.
    """
    lent, named = target.lendable(), references_of(target.table.name)
    values: list[sql.Composable] = []
    for column in target.table.columns:
        own, parent = sql.Identifier(column), made_up.get(named.get(column, ""))
        if column == "id":
            values.append(sql.Literal(str(key)))
        elif column in lent:
            values.append(lent_value(sql.Literal(str(key)), is_text=lent[column]))
        elif parent is not None:
            values.append(sql.SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(own, str(parent)))
        else:
            values.append(sql.SQL("{}::text").format(own))
    return sql.SQL("SELECT 'inserted', {}, NULL, '', {} FROM {} LIMIT 1").format(
        str(key), sql.SQL(", ").join(values), sql.Identifier("public", target.table.name)
    )


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
