"""What a database holds, so that a restored copy can be compared with it.

Unlike `ops.content_hash` this leaves nothing out: a restored copy must have every column of every
table as it was, in all schemas, surrogate ids and time stamps included.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

from ops.content_hash import TableHash, rows_hash
from ops.sql_files import statement


@dataclass(frozen=True)
class Content:
    """What a database holds.

    Attributes:
        tables: schema and name → rows and hash over all columns.
        sequences: schema and name → how far it has counted.
        objects: kind → how many there are.
    """

    tables: Mapping[str, TableHash]
    sequences: Mapping[str, int]
    objects: Mapping[str, int]

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    def as_json(self) -> dict[str, Any]:
        """For the record."""
        tables = {name: asdict(found) for name, found in self.tables.items()}
        return {"tables": tables, "sequences": self.sequences, "objects": self.objects}

    @classmethod
    def from_json(cls, recorded: Mapping[str, Any]) -> "Content":
        """What `as_json` wrote."""
        tables = {name: TableHash(**found) for name, found in recorded["tables"].items()}
        return cls(tables, recorded["sequences"], recorded["objects"])


def content_of(connection: psycopg.Connection) -> Content:
    """Hash and count everything, in one snapshot where the connection's transaction has one.
    The session's settings are those of `ops.connection.connect`."""
    tables = connection.execute(statement("backup/tables")).fetchall()
    hashes = {f"{schema}.{table}": _hash(connection, schema, table) for schema, table in tables}
    return Content(
        hashes,
        sequences_of(connection),
        dict(connection.execute(statement("backup/objects")).fetchall()),
    )


def sequences_of(connection: psycopg.Connection) -> dict[str, int]:
    """How far each sequence has counted now, whatever the transaction's snapshot."""
    return dict(connection.execute(statement("backup/sequences")).fetchall())


def differences(wanted: Content, found: Content) -> list[str]:
    """What a restored copy has otherwise. A sequence may be ahead."""
    return [
        *_unequal("table", wanted.tables, found.tables),
        *_unequal("number of", wanted.objects, found.objects),
        *(
            f"sequence {name}"
            for name, value in wanted.sequences.items()
            if name not in found.sequences or found.sequences[name] < value
        ),
    ]


def _unequal(kind: str, wanted: Mapping[str, object], found: Mapping[str, object]) -> list[str]:
    names = sorted(wanted.keys() | found.keys())
    return [f"{kind} {name}" for name in names if wanted.get(name) != found.get(name)]


def _hash(connection: psycopg.Connection, schema: str, table: str) -> TableHash:
    # ONLY: rows of inheriting tables are counted with these.
    relation = sql.SQL("ONLY {} AS t").format(sql.Identifier(schema, table))
    return rows_hash(connection, relation, [sql.SQL("t.*")])
