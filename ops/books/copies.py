"""What the last complete copy of a table saw and left, by which an unchanged one is skipped."""

from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ops.sql_files import statement


@dataclass(frozen=True)
class TableState:
    """A table as it was seen.

    Attributes:
        place: which file of which life of which server, of which shape.
        oldest: the oldest transaction that was running: what it and younger ones wrote is new.
        own: the transaction that looked, if it had written: its rows were seen.
        rows: how many rows counted.
    """

    place: str
    oldest: int
    rows: int
    own: int | None = None

    @property
    def life(self) -> tuple[str, ...]:
        """Which table of which database: another one where it was restored or made anew."""
        return tuple(self.place.rsplit("/", 5)[1:3])

    @property
    def new_rows(self) -> sql.Composable:
        """A condition over the table: the row may have been written since."""
        oldest = sql.Literal(str(self.oldest % 2**32))
        newer = sql.SQL("age(xmin) <= (SELECT age({}::text::xid))").format(oldest)
        if self.own is None:
            return newer
        own = sql.Literal(str(self.own % 2**32))
        return sql.SQL("{} AND xmin <> {}::xid").format(newer, own)

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)


@dataclass(frozen=True)
class Fingerprint:
    """A row of ops.copy_fingerprints.

    Attributes:
        source_hash: of every row that is read, acceptable or not, and of both sides' columns; empty
            where the next copy must look at the rows again.
        core_hash: content hash of the target's table after the copy.
        source_seen, core_seen: both sides as they were; None where nothing can be told of one.
        proved: both were compared as they were, and every accepted row was found equal.
        proved_seen: the source as it was when that was last so; since then rows came by deltas
            alone, so that only what is newer is unproved.
    """

    source_rows: int
    accepted_rows: int
    source_hash: str
    core_hash: str
    source_seen: TableState | None = None
    core_seen: TableState | None = None
    proved: bool = False
    proved_seen: TableState | None = None

    @property
    def rejected_rows(self) -> int:
        """How many rows of legacy the copy left out."""
        return self.source_rows - self.accepted_rows


def last_fingerprint(core: psycopg.Connection, table: str) -> Fingerprint | None:
    """What the last complete copy of the table recorded."""
    return last_fingerprints(core, table).get(table)


def last_fingerprints(core: psycopg.Connection, only: str | None = None) -> dict[str, Fingerprint]:
    """What the last complete copies recorded, by table; or that of `only` one."""
    with core.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            "SELECT table_name, source_rows, accepted_rows, source_hash, core_hash, source_seen,"
            " core_seen, proved, proved_seen FROM ops.copy_fingerprints"
            " WHERE table_name = coalesce(%s, table_name) ORDER BY table_name",
            [only],
        ).fetchall()
    return {row.pop("table_name"): _fingerprint(row) for row in found}


def _fingerprint(row: dict[str, Any]) -> Fingerprint:
    seen = {name: _seen(row[name]) for name in ("source_seen", "core_seen", "proved_seen")}
    return Fingerprint(**{**row, **seen})


def record_fingerprint(core: psycopg.Connection, table: str, found: Fingerprint) -> None:
    """Remember a complete copy, in the transaction that made it."""
    core.execute(
        statement("books/record_fingerprint"),
        [
            table,
            found.source_rows,
            found.accepted_rows,
            found.source_hash,
            found.core_hash,
            _document(found.source_seen),
            _document(found.core_seen),
            found.proved,
            _document(found.proved_seen),
        ],
    )


def look_again(
    core: psycopg.Connection, table: str, source: TableState | None, target: TableState | None
) -> None:
    """Remember how both sides are seen now, their content being what it was; so is their proof."""
    core.execute(
        "UPDATE ops.copy_fingerprints SET source_seen = %(source)s, core_seen = %(target)s,"
        " proved_seen = CASE WHEN proved THEN %(source)s ELSE proved_seen END"
        " WHERE table_name = %(table)s",
        {"source": _document(source), "target": _document(target), "table": table},
    )


def record_proof(core: psycopg.Connection, table: str, found: Fingerprint) -> None:
    """Remember that parity held for what a copy had seen and left, if that is still the last."""
    core.execute(
        "UPDATE ops.copy_fingerprints SET proved = true, proved_seen = source_seen"
        " WHERE table_name = %s AND source_seen = %s AND core_seen = %s",
        [table, _document(found.source_seen), _document(found.core_seen)],
    )


def _seen(document: dict[str, Any] | None) -> TableState | None:
    return None if document is None else TableState(**document)


def _document(seen: TableState | None) -> Jsonb | None:
    return None if seen is None else Jsonb(seen.document())
