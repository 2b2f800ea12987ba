"""A table that losses are imported into, in whatever shape it is there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy import Enum, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from app.models import AiBase, Base
from ops.copy.catalogue import Column, Relation, read_relation
from ops.sql_files import statement
from ops.user_tables import USER_TABLES, UserTable, never_marked, piece_of

_WHOLE = ("smallint", "integer", "bigint")
_MODIFIER = re.compile(r"\(\d+(,\d+)?\)")


_COMPUTED = frozenset(Base.metadata.tables) - {table.name for table in USER_TABLES}


@dataclass(frozen=True)
class Reference:
    """A foreign key to a table.

    Attributes:
        oid, schema, table: what refers to it.
        columns, referred: by which columns, and to which of its own.
        reaches: whether deleting a row would delete or empty rows there.
    """

    oid: int
    schema: str
    table: str
    columns: Sequence[str]
    referred: Sequence[str]
    reaches: bool

    @property
    def is_computed(self) -> bool:
        """Whether its rows were computed from the row that they name, and go with it."""
        return self.table in _COMPUTED

    def naming(self, table: sql.Composable, rows: sql.Composable) -> sql.Composed:
        """A condition: it names one of those rows of the table."""
        own, theirs = (
            sql.SQL(", ").join(map(sql.Identifier, names))
            for names in (self.columns, self.referred)
        )
        return sql.SQL("({}) IN (SELECT {} FROM {} WHERE {})").format(own, theirs, table, rows)


@dataclass(frozen=True)
class Target:
    """One user-owned table of the database that serves.

    Attributes:
        relation: what is there under its name; None where nothing usable is.
    """

    table: UserTable
    relation: Relation | None
    references: tuple[Reference, ...]

    @property
    def name(self) -> sql.Identifier:
        """The table itself."""
        assert self.relation is not None  # rows without a table are refused before
        return self.relation.identifier

    @property
    def staging(self) -> sql.Identifier:
        """The temporary table of the file's rows."""
        return sql.Identifier(f"losses_{self.table.name}")

    @property
    def stands_alone(self) -> bool:
        """Whether a row can be deleted and written anew: nothing refers to it, and it has no column
        that is not ours."""
        assert self.relation is not None
        return not self.references and set(self.relation.columns) <= set(self.table.columns)

    def columns(self) -> list[Column]:
        """Columns that rows are written to: those of ours that are there."""
        assert self.relation is not None
        found = [self.relation.columns.get(name) for name in self.table.columns]
        return [column for column in found if column is not None and not column.generated]

    def updated_columns(self) -> list[Column]:
        """Columns that an update sets, where they changed. What a batch rolls forward stays as this
        database's own batches have left it; see `updated_value` for what it rolls forward of some
        rows alone."""
        rolled = self.table.apart - {"updated_at"}
        kept = {"id", "created_at", *(rolled if self.table.group == "users" else ())}
        return [column for column in self.columns() if column.name not in kept]

    def value(self, column: Column, row: str = "s") -> sql.Composed:
        """A staged value as this column's type, so that too long a text is an error and not cut."""
        plain = _MODIFIER.sub("", column.type_name)
        plain = "bpchar" if plain == "character" else plain
        own = sql.Identifier(row, column.name)
        # 42.0000 is a whole number; what is none is told by the comparison afterwards.
        number = "::numeric" if plain in _WHOLE else ""
        return sql.SQL("{}::text{}::{}").format(own, sql.SQL(number), sql.SQL(plain))

    def updated_value(self, column: Column) -> sql.Composable:
        """What an update of row `t` by the staged row `s` sets a column to: what did not change
        stays in the words of this database, which a copy may have read otherwise."""
        value = self.value(column)
        if column.name not in self.table.counted:
            return value
        condition: sql.Composable = changed(self.table, column.name)
        if column.name in self.table.marked:
            condition = sql.SQL("{} AND {}").format(condition, never_marked("s"))
        return sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(
            condition, value, sql.Identifier("t", column.name)
        )

    def as_declared(self) -> sql.Composed:
        """A query of id, content and `touched` of the rows that are there and in the file, in the
        types that the models declare; columns that are not there are NULL."""
        content: list[sql.Composable] = [
            sql.SQL(", {} AS {}").format(self._declared(name), sql.Identifier(name))
            for name in self.table.counted
        ]
        return sql.SQL(
            "SELECT t.id, {} AS touched{} FROM {} AS t WHERE t.id IN (SELECT loss_key FROM {})"
        ).format(
            self._declared("updated_at", "timestamptz"),
            sql.SQL("").join(content),
            self.name,
            self.staging,
        )

    def _declared(self, column: str, kind: str | None = None) -> sql.Composed:
        assert self.relation is not None
        there = column in self.relation.columns
        return sql.SQL("{}::{}").format(
            sql.Identifier("t", column) if there else sql.NULL,
            sql.SQL(kind or compared_type(self.table, column)),
        )


def read_target(connection: psycopg.Connection, table: UserTable, schema: str) -> Target:
    """Describe a table of a schema as it is there."""
    found = read_relation(connection, table.name, schema)
    key = found.columns.get("id") if found else None
    if found is None or key is None or key.type_name != "uuid":
        return Target(table, None, ())
    return Target(table, found, references_to(connection, found.oid))


def references_to(connection: psycopg.Connection, oid: int) -> tuple[Reference, ...]:
    """Every foreign key to a table."""
    rows = connection.execute(statement("carrying/references"), {"oid": oid}).fetchall()
    return tuple(Reference(*row) for row in rows)


def changed(table: UserTable, column: str) -> sql.Composed:
    """A condition: of the staged row `s` this column changed; of an inserted one all did."""
    before, after = (
        piece_of(sql.Identifier("s", name), table, column) for name in ("loss_before", "loss_after")
    )
    return sql.SQL("{} IS DISTINCT FROM {}").format(before, after)


def shows(table: UserTable, digest: sql.Composable, wanted: str) -> sql.Composed:
    """A condition: in the columns that changed, a row of this digest is as the staged row `s` says
    in `wanted`, its `loss_before` or `loss_after`."""
    return sql.SQL("({})").format(
        sql.SQL(" AND ").join(
            sql.SQL("(NOT {} OR {} = {})").format(
                changed(table, name),
                piece_of(digest, table, name),
                piece_of(sql.Identifier("s", wanted), table, name),
            )
            for name in table.counted
        )
    )


def compared_type(table: UserTable, column: str) -> str:
    """The type by which two values of a column are compared: as text where a cast would cut."""
    kind = _type(table, column)
    return "text" if isinstance(kind, String | Text | Enum) else staged_type(table, column)


def staged_type(table: UserTable, column: str) -> str:
    """The type that the model declares, which a value of a file must have; enums are texts here,
    since another database may lack them."""
    kind = _type(table, column)
    if isinstance(kind, Enum):
        return "text"
    return kind.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]


def labels(table: UserTable, column: str) -> Sequence[str]:
    """The values that an enum allows; of other types none."""
    kind = _type(table, column)
    return list(kind.enums) if isinstance(kind, Enum) else []


def _type(table: UserTable, column: str) -> TypeEngine[object]:
    metadata = AiBase.metadata if table.database == "ai" else Base.metadata
    return metadata.tables[table.name].columns[column].type
