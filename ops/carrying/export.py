"""What a rollback would lose, written into one file before it is lost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.carrying.changes import CHANGES, Changes, changes_since_swap
from ops.carrying.losses_file import Header, Kind, new_losses_file
from ops.carrying.rollback_price import table_prices
from ops.copy.stream import rows_of, stream
from ops.database_identity import identity_in
from ops.sql_files import statement
from ops.user_tables import USER_TABLES, UserTable


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Attributes:
        rows: changes in all.
        changes: table → kind → how many.
    """

    path: Path
    rows: int
    changes: Mapping[str, Mapping[Kind, int]]


def export_losses(core_url: URL, ai_url: URL, path: Path) -> ExportReport:
    """Write what users wrote since the swap into a new file, `.gz` compressed: inserted and
    updated rows whole, of deleted ones the keys. `import_losses` puts it into the pair that serves.

    The file holds what users wrote, so only its owner can read it. It appears whole or not at all.

    Raises:
        RefusedError: no swap is in force, or the file exists.
        BadInputError: its folder does not exist.
        ConfigurationError: it cannot be written.
    """
    with changes_since_swap(core_url, ai_url) as changes:
        return export_changes(changes, path)


def export_changes(changes: Changes, path: Path) -> ExportReport:
    """`export_losses` of changes that are at hand."""
    header = _header(changes)
    with new_losses_file(path) as file:
        file.header(header)
        for line in _lines(changes, header):
            file.change(line)
        file.footer()
    return ExportReport(path, file.rows, header.changes)


def _header(changes: Changes) -> Header:
    counted: dict[str, Mapping[Kind, int]] = {
        price.table: {
            "inserted": price.inserted,
            "updated": price.updated,
            "deleted": price.deleted,
        }
        for price in table_prices(changes)
    }
    source = {"core": identity_in(changes.core), "ai": identity_in(changes.ai)}
    return Header(datetime.now(UTC), changes.since, source, counted)


def _lines(changes: Changes, header: Header) -> Iterator[str]:
    """Rows by table, parents first; then the keys of deleted ones, children first."""
    tables = [table for table in USER_TABLES if table.name in header.changes]
    if any(table.database == "ai" for table in tables):
        _take_keys_to_ai(changes)
    for table in tables:
        yield from _texts(changes.session(table), _present(table))
    for table in reversed(tables):
        yield from _texts(changes.core, _deleted(table))


def _take_keys_to_ai(changes: Changes) -> None:
    """The temporary table of changes is Core's; a join needs it where the rows are."""
    columns = ("table_name", "key", "before", "after")
    changes.ai.execute("DROP TABLE IF EXISTS pg_temp.cutover_changes")
    changes.ai.execute(statement("carrying/changes"))
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL("SELECT {} FROM {} WHERE after IS NOT NULL").format(names, CHANGES)
    stream(rows_of(changes.core, query), changes.ai, CHANGES, columns)


def _present(table: UserTable) -> sql.Composed:
    """A query of one line per row that is there: the server writes every value's own text, which
    is exact for numbers and moments too."""
    names = sql.SQL(", ").join(map(sql.Literal, table.columns))
    values = sql.SQL(", ").join(
        sql.SQL("{}::text").format(sql.Identifier("t", name)) for name in table.columns
    )
    row = sql.SQL("json_object(ARRAY[{}], ARRAY[{}])").format(names, values)
    return sql.SQL(
        "SELECT json_build_object('table', c.table_name, 'change',"
        " CASE WHEN c.before IS NULL THEN 'inserted' ELSE 'updated' END, 'key', c.key,"
        " 'before', c.before, 'after', c.after, 'row', {})::text"
        " FROM {} AS c JOIN {} AS t ON t.id = c.key"
        " WHERE c.table_name = {} AND c.after IS NOT NULL ORDER BY c.key"
    ).format(row, CHANGES, sql.Identifier("public", table.name), sql.Literal(table.name))


def _deleted(table: UserTable) -> sql.Composed:
    return sql.SQL(
        "SELECT json_build_object('table', table_name, 'change', 'deleted', 'key', key,"
        " 'before', before)::text"
        " FROM {} WHERE table_name = {} AND after IS NULL ORDER BY key"
    ).format(CHANGES, sql.Literal(table.name))


def _texts(session: psycopg.Connection, query: sql.Composed) -> Iterator[str]:
    copy = sql.SQL("COPY ({}) TO STDOUT").format(query)
    with session.cursor() as cursor, cursor.copy(copy) as rows:
        for row in rows.rows():
            yield row[0]
