"""From staging into the table: what is new is inserted, what differs is updated, the rest left."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from ops.copy.catalogue import Column
from ops.copy.plan import TablePlan
from ops.copy.staging import RANKED
from ops.user_tables import never_marked


@dataclass(frozen=True)
class Merged:
    """How many rows a merge wrote."""

    inserted: int
    updated: int


def merge(core: psycopg.Connection, plan: TablePlan) -> Merged:
    """Write the staged rows; rows that only Core has stay, and so do ids that Core gave.

    Legacy wins over Core where both have a row: parity is the promise, not the newer of the two.
    """
    columns = [*plan.columns, *plan.filled]
    row = core.execute(
        sql.SQL(
            "WITH merged AS (INSERT INTO {target} AS kept ({names})"
            " SELECT {values} FROM {ranked} AS s"
            " LEFT JOIN {target} AS t ON {same_key} WHERE s.copy_rank = 1 AND {new_or_changed}"
            " ON CONFLICT ({key}) DO {action} RETURNING xmax = 0 AS inserted)"
            " SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted)"
            " FROM merged"
        ).format(
            target=plan.target.identifier,
            names=sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
            values=sql.SQL(", ").join(_value(plan, column) for column in columns),
            ranked=RANKED,
            same_key=same_key(plan, "t", "s"),
            new_or_changed=missing_or_different(plan, "t", "s"),
            key=sql.SQL(", ").join(map(sql.Identifier, plan.spec.natural_key)),
            action=_update(plan),
        )
    ).fetchone()
    inserted, updated = row or (0, 0)
    return Merged(int(inserted), int(updated))


def same_key(plan: TablePlan, left: str, right: str) -> sql.Composable:
    """A condition: both rows have the same natural key, exactly as spelt."""
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name))
        for name in plan.spec.natural_key
    )


def missing(plan: TablePlan, row: str) -> sql.Composable:
    """A condition: an outer join found no such row (a natural key holds no NULL)."""
    return sql.SQL("{} IS NULL").format(sql.Identifier(row, plan.spec.natural_key[0]))


def missing_or_different(plan: TablePlan, row: str, wanted: str) -> sql.Composable:
    """A condition: there is no such row, or its content is not the wanted one.

    It stands before the upsert, not in it: an upsert locks, and so writes, each row it meets.
    """
    return sql.SQL("({} OR {})").format(missing(plan, row), differs(plan, row, wanted))


def differs(plan: TablePlan, mine: str, other: str) -> sql.Composable:
    """A condition: the content of the row `mine` is not that of `other`."""
    sides = (
        sql.SQL(", ").join(plan.expression(column, alias) for column in plan.content)
        for alias in (mine, other)
    )
    return sql.SQL("ROW({}) IS DISTINCT FROM ROW({})").format(*sides)


def _update(plan: TablePlan) -> sql.Composable:
    if not plan.content:
        return sql.SQL("NOTHING")
    # updated_at, for one, is set by hand: an upsert does not touch it; staging has the source's.
    touched = [
        column
        for column in (*plan.columns, *plan.filled)
        if column in plan.content or column.name in plan.spec.carried
    ]
    return sql.SQL("UPDATE SET {}").format(
        sql.SQL(", ").join(_set(plan, column) for column in touched)
    )


def _set(plan: TablePlan, column: Column) -> sql.Composable:
    own = sql.Identifier(column.name)
    if column.name not in plan.spec.marked:
        return sql.SQL("{0} = EXCLUDED.{0}").format(own)
    return sql.SQL("{0} = CASE WHEN {1} THEN EXCLUDED.{0} ELSE kept.{0} END").format(
        own, never_marked("excluded")
    )


def _value(plan: TablePlan, column: Column) -> sql.Composable:
    if column in plan.filled:
        return plan.fill(column, "s")
    own = sql.Identifier("s", column.name)
    if not plan.is_surrogate(column):
        return own
    return sql.SQL("CASE WHEN {} THEN gen_random_uuid() ELSE {} END").format(
        _cannot_stay(plan, own), own
    )


def _cannot_stay(plan: TablePlan, own: sql.Identifier) -> sql.Composable:
    """A condition: the row's legacy id is unknown, not its own alone, or taken in Core."""
    repeated = (
        sql.SQL("false")
        if plan.surrogate_is_unique
        else sql.SQL("count(*) OVER (PARTITION BY {}) > 1").format(own)
    )
    return sql.SQL(
        "{own} IS NULL OR {repeated} OR EXISTS (SELECT FROM {target} AS o WHERE {id} = {own})"
    ).format(
        own=own,
        repeated=repeated,
        target=plan.target.identifier,
        id=sql.Identifier("o", str(plan.spec.surrogate_key)),
    )
