"""A user-owned table that changes are written to, in whatever shape it is there, and the statements
by which they are: row `t` by the staged row `s`."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from pgvector.sqlalchemy import VECTOR
from psycopg import sql
from sqlalchemy import Enum, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from app.models import AiBase, Base
from ops.copy.catalogue import Column, Relation, read_relations
from ops.copy.groups import PARKED_BY
from ops.sql_files import statement
from ops.user_tables import USER_TABLES, UserTable, content_digest, never_marked, piece_of

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
    def name(self) -> sql.Identifier:
        """What refers."""
        return sql.Identifier(self.schema, self.table)

    @property
    def is_computed(self) -> bool:
        """Whether its rows were computed from the row that they name, and go with it."""
        return self.table in _COMPUTED

    def naming(self, table: sql.Composable, rows: sql.Composable) -> sql.Composed:
        """A condition: it names one of those rows of the table."""
        own, theirs = _list(map(sql.Identifier, self.columns)), map(sql.Identifier, self.referred)
        return sql.SQL("({}) IN (SELECT {} FROM {} WHERE {})").format(
            own, _list(theirs), table, rows
        )

    def to_row(self) -> sql.Composed:
        """A query of what names the row `t`."""
        own = _list(sql.Identifier("c", name) for name in self.columns)
        theirs = _list(sql.Identifier("t", name) for name in self.referred)
        return sql.SQL("SELECT FROM {} AS c WHERE ({}) = ({})").format(self.name, own, theirs)


@dataclass(frozen=True)
class Target:
    """One user-owned table of a database that takes changes.

    Attributes:
        session: of that database.
        relation: what is there under its name; None where nothing usable is.
        since: when the swap left the rows that changes start from.
    """

    session: psycopg.Connection
    table: UserTable
    relation: Relation | None = None
    references: tuple[Reference, ...] = ()
    since: datetime | None = None

    @property
    def there(self) -> Relation:
        """What is there; rows without a table are refused before."""
        assert self.relation is not None
        return self.relation

    @property
    def name(self) -> sql.Identifier:
        """The table itself."""
        return self.there.identifier

    @property
    def staging(self) -> sql.Identifier:
        """The temporary table of the changes."""
        return sql.Identifier(f"changed_{self.table.name}")

    @property
    def stands_alone(self) -> bool:
        """Whether a row can be deleted and written anew: nothing refers to it, and it has no column
        that is not ours."""
        return not self.references and set(self.there.columns) <= set(self.table.columns)

    def insertion(self, rows: sql.Composable) -> sql.Composed:
        """Insert staged rows."""
        columns = self._columns()
        return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} AS s WHERE {}").format(
            self.name,
            _list(sql.Identifier(column.name) for column in columns),
            _list(map(_value, columns)),
            self.staging,
            rows,
        )

    def update(self, rows: sql.Composable) -> sql.Composed:
        """Set the columns that changed. What a batch rolls forward stays as this database's own
        batches have left it; see `_updated_value` for what it rolls forward of some rows alone."""
        rolled = self.table.apart - {"updated_at"}
        kept = {"id", *(rolled if self.table.group == "users" else ())} - {"created_at"}
        values = (
            sql.SQL("{} = {}").format(sql.Identifier(column.name), self._updated_value(column))
            for column in self._columns()
            if column.name not in kept
        )
        return self._updating(values, rows)

    def deletion(self, rows: sql.Composable) -> sql.Composed:
        """Delete rows, with what was computed from them, as it went where users deleted them. A row
        by which others would go too, or forget what they refer to, stays."""
        doomed = sql.SQL("id IN (SELECT key FROM {} AS s WHERE {})").format(self.staging, rows)
        others = (one for one in self.references if one.reaches and not one.is_computed)
        alone = (sql.SQL(" AND NOT EXISTS ({})").format(one.to_row()) for one in others)
        own = sql.SQL("DELETE FROM {} AS t USING {} AS s WHERE t.id = s.key AND {}{}").format(
            self.name, self.staging, rows, sql.SQL("").join(alone)
        )
        computed = self._computed_from(self.references, self.name, doomed)
        return sql.SQL("; ").join([*computed, own])

    def _computed_from(
        self, references: Iterable[Reference], table: sql.Composable, rows: sql.Composable
    ) -> Iterator[sql.Composed]:
        for one in references:
            if one.is_computed:
                naming = one.naming(table, rows)
                further = _references_to(self.session, [one.oid]).get(one.oid, ())
                yield from self._computed_from(further, one.name, naming)
                yield sql.SQL("DELETE FROM {} WHERE {}").format(one.name, naming)

    def passing(self, rows: sql.Composable) -> sql.Composed:
        """Update rows among which passes what only one row may have."""
        if self.stands_alone:
            return sql.SQL("{}; {}").format(self.deletion(rows), self.insertion(rows))
        lent = self.lendable().keys() & set(self.table.counted)
        if not lent:
            return self.update(rows)
        lending = self._lending({name: changed(self.table, name) for name in lent}, rows)
        return sql.SQL("{}; {}").format(lending, self.update(rows))

    def making_room(self, rows: sql.Composable) -> sql.Composed:
        """Have rows that are about to be deleted hold nothing that only one row may have; of a
        table that has something `lendable`."""
        return self._lending(dict.fromkeys(self.lendable(), sql.SQL("true")), rows)

    def _lending(self, lent: Mapping[str, sql.Composable], rows: sql.Composable) -> sql.Composed:
        """Lend rows values of their own in the columns of which the condition is true."""
        key, is_text = sql.Identifier("s", "key"), self.lendable()
        values = (
            sql.SQL("{0} = CASE WHEN {1} THEN {2} ELSE t.{0} END").format(
                sql.Identifier(column), condition, lent_value(key, is_text=is_text[column])
            )
            for column, condition in lent.items()
        )
        changing = sql.SQL(" OR ").join(lent.values())
        return self._updating(values, sql.SQL("{} AND ({})").format(rows, changing))

    def lendable(self) -> dict[str, bool]:
        """The column that lends a value of each unique key, and whether it is a text."""
        found = self.session.execute(statement("carrying/lendable"), {"oid": self.there.oid})
        columns = dict(found.fetchall())
        known = PARKED_BY.get(self.table.name)
        if known in {column.name for column in self._columns()}:
            columns[str(known)] = True
        return columns

    def as_declared(self, which: sql.Composable) -> sql.Composed:
        """A query of id, `touched` and digest of those of its rows `r`, read in the types that the
        models declare; columns that are not there are NULL."""
        content = [
            sql.SQL(", {} AS {}").format(self._declared(name), sql.Identifier(name))
            for name in self.table.counted
        ]
        return sql.SQL(
            "SELECT t.id, t.touched, {} AS digest FROM"
            " (SELECT r.id, {} AS touched{} FROM {} AS r WHERE {}) AS t"
        ).format(
            content_digest(self.table, "t"),
            self._declared("updated_at", "timestamptz"),
            sql.SQL("").join(content),
            self.name,
            which,
        )

    def _declared(self, column: str, kind: str | None = None) -> sql.Composed:
        there = column in self.there.columns
        return sql.SQL("{}::{}").format(
            sql.Identifier("r", column) if there else sql.NULL,
            sql.SQL(kind or _compared_type(self.table, column)),
        )

    def _columns(self) -> list[Column]:
        """Columns that rows are written to: those of ours that are there."""
        found = [self.there.columns.get(name) for name in self.table.columns]
        return [column for column in found if column is not None and not column.generated]

    def _updating(self, values: Iterable[sql.Composable], rows: sql.Composable) -> sql.Composed:
        return sql.SQL("UPDATE {} AS t SET {} FROM {} AS s WHERE t.id = s.key AND {}").format(
            self.name, _list(values), self.staging, rows
        )

    def _updated_value(self, column: Column) -> sql.Composable:
        """What did not change stays in the words of this database, which a copy may have read
        otherwise."""
        value = _value(column)
        if column.name == "created_at":  # of a row that was made anew, under the same id
            condition = sql.SQL("s.created_at > {}").format(self.since)
        elif column.name in self.table.counted:
            condition = changed(self.table, column.name)
        else:
            return value
        if column.name in self.table.marked:
            condition = sql.SQL("{} AND {}").format(condition, never_marked("s"))
        return sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(
            condition, value, sql.Identifier("t", column.name)
        )


def read_targets(
    session: psycopg.Connection,
    tables: Sequence[UserTable],
    schema: str,
    since: datetime | None = None,
) -> list[Target]:
    """Describe tables of a schema as they are there; see `Target`."""
    found = read_relations(session, [table.name for table in tables], schema)
    usable = {name: one for name, one in found.items() if _is_known_by_uuid(one)}
    references = _references_to(session, [one.oid for one in usable.values()])
    return [
        Target(session, table, one, references.get(one.oid, ()), since)
        if (one := usable.get(table.name))
        else Target(session, table)
        for table in tables
    ]


def _is_known_by_uuid(relation: Relation) -> bool:
    key = relation.columns.get("id")
    return key is not None and key.type_name == "uuid"


def _references_to(
    session: psycopg.Connection, oids: Sequence[int]
) -> dict[int, tuple[Reference, ...]]:
    """Every foreign key to some tables, by the number of the table."""
    found: dict[int, tuple[Reference, ...]] = {}
    for to, *row in session.execute(statement("carrying/references"), {"oids": list(oids)}):
        found[to] = (*found.get(to, ()), Reference(*row))
    return found


def own_triggers(session: psycopg.Connection, targets: Iterable[Target]) -> dict[int, list[str]]:
    """By the number of a table, the triggers that a write to it may set off and that are not
    ours."""
    oids = [target.relation.oid for target in targets if target.relation is not None]
    return dict(session.execute(statement("carrying/own_triggers"), {"oids": oids}).fetchall())


def _value(column: Column) -> sql.Composed:
    """A staged value as this column's type, so that too long a text is an error and not cut."""
    plain = _MODIFIER.sub("", column.type_name)
    plain = "bpchar" if plain == "character" else plain
    # 42.0000 is a whole number; what is none is told by the comparison afterwards.
    number = "::numeric" if plain in _WHOLE else ""
    own = sql.Identifier("s", column.name)
    return sql.SQL("{}::text{}::{}").format(own, sql.SQL(number), sql.SQL(plain))


def lent_value(key: sql.Composable, *, is_text: bool) -> sql.Composed:
    """A value that no other row has: a text is short, and an address; a number is negative."""
    if is_text:
        return sql.SQL("right({}::text, 12) || '@a.b'").format(key)
    return sql.SQL("-1 - ('x' || right({}::text, 7))::bit(28)::integer").format(key)


def changed(table: UserTable, column: str) -> sql.Composed:
    """A condition: of the staged row `s` this column changed; of an inserted one all did."""
    before, after = (
        piece_of(sql.Identifier("s", name), table, column) for name in ("before", "after")
    )
    return sql.SQL("{} IS DISTINCT FROM {}").format(before, after)


def shows(table: UserTable, wanted: str) -> sql.Composed:
    """A condition: in the columns that changed, the row `t` of `as_declared` is as the staged row
    `s` says in `wanted`, its `before` or `after`."""
    now, then = sql.Identifier("t", "digest"), sql.Identifier("s", wanted)
    return sql.SQL("({})").format(
        sql.SQL(" AND ").join(
            sql.SQL("(NOT {} OR {} = {})").format(
                changed(table, name), piece_of(now, table, name), piece_of(then, table, name)
            )
            for name in table.counted
        )
    )


def staged_type(table: UserTable, column: str) -> str:
    """The type that the model declares, which a value of a file must have; enums and vectors are
    texts here, since another database may lack them."""
    kind = _type(table, column)
    if isinstance(kind, Enum | VECTOR):
        return "text"
    return kind.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]


def _compared_type(table: UserTable, column: str) -> str:
    """The type by which two values of a column are compared: as text where a cast would cut."""
    kind = _type(table, column)
    return "text" if isinstance(kind, String | Text | Enum) else staged_type(table, column)


def labels(table: UserTable, column: str) -> Sequence[str]:
    """The values that an enum allows; of other types none."""
    kind = _type(table, column)
    return list(kind.enums) if isinstance(kind, Enum) else []


def _type(table: UserTable, column: str) -> TypeEngine[object]:
    metadata = AiBase.metadata if table.database == "ai" else Base.metadata
    return metadata.tables[table.name].columns[column].type


def _list(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
