"""What a write lock is about: the tables of a database, and what can be written otherwise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Json

from ops.legacy_schema import INSTALLATION
from ops.sql_files import statement

Choose = Callable[[Sequence["UserRelation"]], list["UserRelation"]]

_TABLES = ("table", "partitioned table")


@dataclass(frozen=True)
class UserRelation:
    """A relation of a user's schema.

    Attributes:
        owned: whether this session may do what its owner may, or could who made the lock.
        ruled: whether a rule rewrites statements that write to it.
        first_column: None for a table without columns.
        lineage: its name and those of the tables that it is a part of, in lower case.
        marked: whether it has our trigger, in whatever state.
        locked: whether our trigger refuses every kind of write.
    """

    oid: int
    schema: str
    name: str
    kind: str
    owner: str
    owned: bool
    ruled: bool
    first_column: str | None
    lineage: Sequence[str]
    marked: bool
    locked: bool

    @property
    def is_table(self) -> bool:
        """Whether it holds rows that a statement can write directly."""
        return self.kind in _TABLES

    @property
    def identifier(self) -> sql.Identifier:
        """Its name for a statement."""
        return sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


def relations(connection: psycopg.Connection) -> list[UserRelation]:
    """Every relation of the users' schemas, in the order in which tables are locked."""
    with connection.cursor(row_factory=class_row(UserRelation)) as cursor:
        return cursor.execute(statement("write_lock/tables")).fetchall()


def tables(connection: psycopg.Connection) -> list[UserRelation]:
    """Those that a lock reaches."""
    return lockable_tables(relations(connection))


def lockable_tables(known: Sequence[UserRelation]) -> list[UserRelation]:
    """Those of relations that hold rows and on which a trigger can be made."""
    return [one for one in known if one.is_table and one.owned]


def moved_tables(known: Sequence[UserRelation]) -> list[UserRelation]:
    """Of those that a lock reaches, what a move reads or a backend writes to, with their parts: all
    that must be locked while requests wait. All where a view bears such a name: what lies beneath
    may be called anything."""
    lockable = lockable_tables(known)
    return lockable if _has_views(known) else [one for one in lockable if _is_named(one)]


def other_tables(known: Sequence[UserRelation]) -> list[UserRelation]:
    """Those that a lock reaches beside `moved_tables`."""
    moved = {one.oid for one in moved_tables(known)}
    return [one for one in lockable_tables(known) if one.oid not in moved]


def tables_of_others(known: Sequence[UserRelation]) -> list[UserRelation]:
    """Those that belong to other roles, out of a lock's reach."""
    return [one for one in known if one.is_table and not one.owned]


def moved_of_others(known: Sequence[UserRelation]) -> list[UserRelation]:
    """Of these, what a move reads. A platform's own schema may hold a table of our name, which is
    none of the installation's."""
    names: dict[str, set[str]] = {}
    for one in known:
        names.setdefault(one.schema, set()).add(one.name)
    others = tables_of_others(known)
    if _has_views(known):
        return others
    return [one for one in others if _is_named(one) and names[one.schema] >= INSTALLATION]


def _has_views(known: Sequence[UserRelation]) -> bool:
    return any(one.name.lower() in _moved() for one in known if not one.is_table)


def _is_named(one: UserRelation) -> bool:
    return not _moved().isdisjoint(one.lineage)


@cache
def _moved() -> frozenset[str]:
    # Only here: the models take longer to import than a look at the catalogue.
    from app.models import AiBase, Base

    return frozenset({*Base.metadata.tables, *AiBase.metadata.tables})


def hand_over(connection: psycopg.Connection, chosen: Sequence[UserRelation]) -> None:
    """Tell a script's DO block, which takes no parameters, the tables it is about."""
    rows = [
        {
            "oid": one.oid,
            "schema": one.schema,
            "name": one.name,
            "shown": str(one),
            "first_column": one.first_column,
            "ruled": one.ruled,
            "marked": one.marked,
        }
        for one in chosen
    ]
    connection.execute(
        "SELECT set_config('sigmasight.tables', %s::jsonb::text, true)", [Json(rows)]
    )
