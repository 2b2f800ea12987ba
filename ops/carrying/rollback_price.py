"""What a rollback costs: what users wrote to the new pair since the swap.

A row is told by its key and the hash of what a user can see of it, so a row that was changed and
changed back costs nothing, nor does what a batch rolls forward or verification leaves. What can be
computed again is listed beside the price, not in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from sqlalchemy import Table

from app.models import Base
from ops.carrying.changes import Changes
from ops.carrying.losses_file import Kind
from ops.sql_files import statement
from ops.user_tables import USER_TABLES, user_table

_EXAMPLES = 5
# No endpoint writes them, and no batch.
_SCENARIOS = "stress_test_scenarios"


@dataclass(frozen=True)
class TablePrice:
    """Rows of a table that users wrote since the swap, each counted once.

    Attributes:
        examples: keys of the first few.
    """

    table: str
    inserted: int
    updated: int
    deleted: int
    examples: Sequence[str] = ()

    @property
    def counts(self) -> dict[Kind, int]:
        """How many of each kind."""
        return {"inserted": self.inserted, "updated": self.updated, "deleted": self.deleted}

    @property
    def total(self) -> int:
        """Rows in all."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class RollbackPrice:
    """What the old database lacks, and cannot hold.

    Attributes:
        since: when the swap left the rows that the price counts from.
        tables: those with a price.
        carried: what of users' rows is carried back; empty where that was not tried.
        by_triggers: table → further rows that triggers of the old database change, add or remove.
        recomputable: table → rows written since then that a batch or a copy makes again.
        as_of: the day to which the old database's own such rows lead.
    """

    since: datetime
    tables: tuple[TablePrice, ...] = ()
    carried: tuple[TablePrice, ...] = ()
    by_triggers: Mapping[str, int] = field(default_factory=dict)
    recomputable: Mapping[str, int] = field(default_factory=dict)
    as_of: str | None = None

    @property
    def total(self) -> int:
        """The price: rows that users would lose, or find otherwise."""
        return sum(table.total for table in self.tables) + self.rows_by_triggers

    @property
    def rows_by_triggers(self) -> int:
        """Rows that nobody carried and that will be otherwise; no file keeps them."""
        return sum(self.by_triggers.values())

    @property
    def by_table(self) -> Mapping[str, int]:
        """Table → rows."""
        return {table.table: table.total for table in self.tables}

    @property
    def carried_rows(self) -> int:
        """Rows that are carried back."""
        return sum(table.total for table in self.carried)

    @property
    def example(self) -> str:
        """The key of one row that counts, with the reason where there is one."""
        return next((one for table in self.tables for one in table.examples), "")

    def summary(self) -> str:
        """Tables with their rows, in one line."""
        return _listed(self.by_table) or "nothing"

    def lines(self) -> list[str]:
        """For a terminal."""
        return list(self._lines())

    def rows(self) -> list[dict[str, str | int]]:
        """For a table in the run history."""
        return [
            {"table": one.table}
            | {str(kind): rows for kind, rows in one.counts.items()}
            | {"for example": ", ".join(one.examples)}
            for one in self.tables
        ]

    def _lines(self) -> Iterator[str]:
        written = f"rows that users wrote since {self.since:%Y-%m-%d %H:%M:%S} UTC"
        if self.carried:
            yield f"a rollback carries back {self.carried_rows:,} {written}"
            yield from map(_shown, self.carried)
        yield f"a rollback loses {self.total:,} {written}"
        for table in self.tables:
            yield f"{_shown(table)} (for example {table.examples[0]})"
        if self.by_triggers:
            yield f"  triggers of the old database change others: {_listed(self.by_triggers)}"
        computed = {name: rows for name, rows in self.recomputable.items() if name != _SCENARIOS}
        if kept := self.recomputable.get(_SCENARIOS):
            yield f"  not carried: {_SCENARIOS} {kept:,}, which Core keeps"
        if computed:
            listed = _listed(computed)
            shown = f"; the old database shows it as of {self.as_of}" if self.as_of else ""
            yield f"  not priced, since it can be computed again: {listed}{shown}"


def _listed(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{table} {count:,}" for table, count in rows.items())


def _shown(table: TablePrice) -> str:
    counts = ", ".join(f"{rows:,} {kind}" for kind, rows in table.counts.items())
    return f"  {table.table}: {counts}"


def price_of(changes: Changes) -> RollbackPrice:
    """What of them counts."""
    return RollbackPrice(changes.since, counted(changes.core))


def counted(
    session: psycopg.Connection, states: Sequence[str] = ("pending",)
) -> tuple[TablePrice, ...]:
    """The tables with changes of these states, in the order of their references."""
    with session.cursor(row_factory=class_row(TablePrice)) as cursor:
        which = {"examples": _EXAMPLES, "states": list(states)}
        cursor.execute(statement("carrying/change_counts"), which)
        priced = {price.table: price for price in cursor}
    return tuple(priced[table.name] for table in USER_TABLES if table.name in priced)


def recomputable(core: psycopg.Connection, since: datetime) -> dict[str, int]:
    """Rows written since then of each table that a batch or a copy makes again."""
    tables = [table for table in Base.metadata.sorted_tables if user_table(table.name) is None]
    counts = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}::text, count(*) FROM {} AS t WHERE {}").format(
            sql.Literal(table.name), sql.Identifier("public", table.name), _written_since(table)
        )
        for table in tables
    )
    found = core.execute(counts, {"since": since}).fetchall()
    return {name: int(rows) for name, rows in sorted(found) if rows}


def _written_since(table: Table, row: str = "t") -> sql.Composable:
    """A condition by the row's own time stamp, or else by that of the row that it belongs to."""
    for stamp in ("created_at", "updated_at"):
        if stamp in table.columns:
            return sql.SQL("{} >= %(since)s").format(sql.Identifier(row, stamp))
    key = next(key for column in table.columns for key in column.foreign_keys)
    parent, alias = key.column.table, f"{row}_of"
    return sql.SQL("EXISTS (SELECT FROM {} AS {} WHERE {} = {} AND {})").format(
        sql.Identifier("public", parent.name),
        sql.Identifier(alias),
        sql.Identifier(alias, key.column.name),
        sql.Identifier(row, key.parent.name),
        _written_since(parent, alias),
    )
