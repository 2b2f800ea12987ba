"""What a server's catalogue says of a table or view that is copied."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ops.sql_files import statement

FIRST_USER_TYPE_OID = 16384
_SCALE = re.compile(r"numeric\(\d+,(-?\d+)\)")


@dataclass(frozen=True)
class Column:
    """A column as pg_attribute has it, with the values of an enum."""

    name: str
    type_oid: int
    type_modifier: int
    type_name: str
    not_null: bool
    has_default: bool
    generated: bool
    labels: tuple[str, ...] = ()

    @property
    def decimals(self) -> int | None:
        """How many decimals a number has at most; None where the type does not say it."""
        if self.type_name in ("smallint", "integer", "bigint"):
            return 0
        found = _SCALE.fullmatch(self.type_name)
        return int(found[1]) if found else None

    def same_type(self, other: "Column") -> bool:
        """Whether a binary value of one can be read as the other: types alone, no casts.

        Types that a database made itself (domains) have other numbers elsewhere. The value of an
        enum travels as its name.
        """
        if self.labels and other.labels:
            return set(self.labels).issuperset(other.labels)
        return (
            self.type_oid == other.type_oid < FIRST_USER_TYPE_OID
            and self.type_modifier == other.type_modifier
        )


@dataclass(frozen=True)
class Relation:
    """A table, partitioned or foreign table, view or materialised view.

    Attributes:
        heirs_columns: those that only children by inheritance have, each after its table's name;
            who reads the relation does not see them.
    """

    oid: int
    schema: str
    name: str
    is_table: bool
    has_children: bool
    columns: Mapping[str, Column]
    heirs_columns: tuple[str, ...]
    unique_keys: frozenset[frozenset[str]]

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def is_unique(self, columns: Iterable[str]) -> bool:
        """Whether an index allows no two rows with the same values of exactly these columns."""
        return frozenset(columns) in self.unique_keys


def read_relations(
    connection: psycopg.Connection, tables: Collection[str], schema: str = "public"
) -> dict[str, Relation]:
    """Describe those of the tables of a schema that are there, by name: many cost hardly more than
    one. The pair's are in `public`."""
    place = {"schema": schema, "tables": list(tables)}
    found = connection.execute(statement("copy/relations"), place)
    return {
        name: Relation(
            oid,
            schema,
            name,
            is_table,
            has_children,
            {column["name"]: _column(column) for column in columns},
            tuple(heirs_columns),
            frozenset(map(frozenset, keys)),
        )
        for oid, schema, name, is_table, has_children, columns, heirs_columns, keys in found
    }


def _column(found: Mapping[str, Any]) -> Column:
    return Column(**{**found, "labels": tuple(found["labels"])})
