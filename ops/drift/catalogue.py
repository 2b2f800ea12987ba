"""What a database's schema `public` holds, read from the system catalogue."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

import psycopg

from ops.sql_files import statement

Facts = dict[str, str | None]
Catalogue = dict[str, dict[str, Facts]]

# Section of a catalogue -> how one of its objects is called; what others need comes before them.
SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "tables": "table",
        "extensions": "extension",
        "enums": "enum",
        "columns": "column",
        "constraints": "constraint",
        "indexes": "index",
        "triggers": "trigger",
        "sequences": "sequence",
    }
)


def read_catalogue(connection: psycopg.Connection) -> Catalogue:
    """Read the catalogue: section -> object -> facts. Objects of a table are `table.name`.

    Changes the search path until the end of the connection's transaction.
    """
    connection.execute(statement("drift/search_path"))
    return {section: _read_section(connection, section) for section in SECTIONS}


def without_tables(catalogue: Catalogue, tables: Collection[str]) -> Catalogue:
    """The catalogue without some tables and all that belongs to them."""

    def kept(section: str, name: str, facts: Facts) -> bool:
        if section == "tables":
            return name not in tables
        owner = facts.get("owner") if section == "sequences" else name
        return not any(str(owner).startswith(f"{table}.") for table in tables)

    return _filtered(catalogue, kept)


def without_objects(catalogue: Catalogue, section: str, names: Collection[str]) -> Catalogue:
    """The catalogue without some objects of one section."""
    return _filtered(catalogue, lambda where, name, _: where != section or name not in names)


def _filtered(catalogue: Catalogue, kept: Callable[[str, str, Facts], bool]) -> Catalogue:
    return {
        section: {name: facts for name, facts in objects.items() if kept(section, name, facts)}
        for section, objects in catalogue.items()
    }


def _read_section(connection: psycopg.Connection, section: str) -> dict[str, Facts]:
    return dict(connection.execute(statement(f"drift/{section}")).fetchall())
