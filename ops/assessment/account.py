"""The account of the old database, read in one snapshot and changing nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from sqlalchemy.engine import URL

from ops.assessment.fates import COPIED, Fate, fate_of_table, fates_of_columns
from ops.connection import POLICIES_ADVICE, connect, explained, shown_address
from ops.legacy_schema import LegacySchemaError, enter_legacy
from ops.sql_files import statement

# The write lock knows transactions by `xid8`.
OLDEST_SWAPPED = 13


@dataclass(frozen=True)
class TableAccount:
    """A table of the old database, and what becomes of it.

    Attributes:
        readable: whether the session may read it.
        bytes: with indexes and what is stored apart.
        row_security: whether policies may hide rows.
        elsewhere: whether it is a foreign table, whose rows another database keeps.
        triggers: its own, by name.
        rows: None where it cannot be read.
        rule: why it is left out.
    """

    schema: str
    name: str
    owner: str
    readable: bool
    bytes: int
    row_security: bool
    elsewhere: bool
    triggers: Sequence[str]
    columns: Sequence[str]
    rows: int | None = None
    fate: Fate = "unknown"
    rule: str = ""

    @property
    def shown(self) -> str:
        """Schema and name."""
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        """The table in a statement."""
        return sql.Identifier(self.schema, self.name)

    @property
    def column_fates(self) -> dict[str, Fate]:
        """What becomes of each column: of a copied table one by one, else what becomes of it."""
        if self.fate == "copied":
            return fates_of_columns(self.name, self.columns)
        return dict.fromkeys(self.columns, self.fate)


@dataclass(frozen=True)
class Surroundings:
    """What lies around the tables.

    Attributes:
        bytes: of the whole database.
        event_triggers, publications: by name.
    """

    server_version: str
    encoding: str
    bytes: int
    event_triggers: Sequence[str]
    publications: Sequence[str]


@dataclass(frozen=True)
class Account:
    """Every table of the old database.

    Attributes:
        address: without a password.
        schema: where the installation is; None where that cannot be told.
        refusals: why it cannot be moved, one line each.
    """

    address: str
    schema: str | None
    tables: Sequence[TableAccount]
    surroundings: Surroundings
    refusals: Sequence[str] = field(default_factory=tuple)

    @property
    def go(self) -> bool:
        """Whether it can be moved."""
        return not self.refusals

    @cached_property
    def unknown(self) -> dict[str, int]:
        """Tables that nothing of ours knows and that hold rows, with how many: what a move leaves
        behind. Those of the installation's schema are a part of the swap's price."""
        return _rows_of_unknown(self.tables)


def assess(url: URL) -> Account:
    """Account for every table and column of the old database. It is only read.

    Raises:
        ConfigurationError: it cannot be reached, or its tables cannot be counted.
    """
    with _reader(url) as session:
        tables = _relations(session)
        around = _surroundings(session)
        schema, refusals = _home(session, url)
        counted = [_counted(session, _judged(table, schema)) for table in tables]
        hidden = tuple(_hidden(session, counted, schema))
        old = tuple(_too_old(session))
    return Account(shown_address(url), schema, counted, around, refusals + hidden + old)


def _too_old(session: psycopg.Connection) -> Iterator[str]:
    found = session.info.server_version // 10000
    if found < OLDEST_SWAPPED:
        yield (
            f"PostgreSQL {found} can be copied from, and no swap can lock it (that needs "
            f"{OLDEST_SWAPPED}); upgrade the old server first"
        )


def _hidden(
    session: psycopg.Connection, tables: Sequence[TableAccount], schema: str | None
) -> Iterator[str]:
    """Why a copy would refuse tables that it reads, as it may, and of which policies hide rows."""
    for table in tables:
        moved = table.schema == schema and fate_of_table(table.name)[0] in ("copied", "seeded")
        if moved and table.fate == "unreadable":
            yield (
                f"policies may hide rows of {table.shown} from role {session.info.user!r}; "
                f"{POLICIES_ADVICE}"
            )


def unknown_rows(session: psycopg.Connection, schema: str) -> dict[str, int]:
    """The tables of the installation's schema that nothing of ours knows and that hold rows, with
    how many, as a snapshot of legacy sees them.

    Raises:
        LegacySchemaError: one cannot be read, so that nobody could say what is lost with it.
    """
    tables = [_judged(table, schema) for table in _relations(session) if table.schema == schema]
    counted = [_counted(session, table) for table in tables if table.fate == "unknown"]
    found = [*tables, *counted]
    if closed := [table.shown for table in found if table.fate == "unreadable"]:
        raise LegacySchemaError(
            f"role {session.info.user!r} may not read {', '.join(closed)} of the old database, so "
            "what would be lost with it cannot be said; GRANT SELECT on it, or drop it"
        )
    return _rows_of_unknown(counted)


def _rows_of_unknown(tables: Sequence[TableAccount]) -> dict[str, int]:
    return {table.shown: table.rows for table in tables if table.fate == "unknown" and table.rows}


@contextmanager
def _reader(url: URL) -> Iterator[psycopg.Connection]:
    with (
        explained(url),
        connect(url, application_name="assessment", read_only=True) as session,
    ):
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        # Rows that policies hide are an error, not a smaller number.
        session.execute("SET row_security = off")
        yield session


def _relations(session: psycopg.Connection) -> list[TableAccount]:
    with session.cursor(row_factory=class_row(TableAccount)) as cursor:
        return cursor.execute(statement("assessment/relations")).fetchall()


def _surroundings(session: psycopg.Connection) -> Surroundings:
    with session.cursor(row_factory=class_row(Surroundings)) as cursor:
        [found] = cursor.execute(statement("assessment/surroundings")).fetchall()
    return found


def _home(session: psycopg.Connection, url: URL) -> tuple[str | None, tuple[str, ...]]:
    try:
        return enter_legacy(session, url, COPIED).name, ()
    except LegacySchemaError as error:
        return None, (str(error),)


def _judged(table: TableAccount, schema: str | None) -> TableAccount:
    """The table with what becomes of it. Tables of other schemas are strangers."""
    fate, rule = fate_of_table(table.name) if table.schema == schema else ("unknown", "")
    if fate == "unknown" and table.elsewhere:
        fate, rule = "left out", "a foreign table: another database keeps its rows"
    if fate == "unknown" and not table.readable:
        fate = "unreadable"
    return replace(table, fate=fate, rule=rule)


def _counted(session: psycopg.Connection, table: TableAccount) -> TableAccount:
    if not table.readable or (table.elsewhere and table.fate == "left out"):
        return table
    query = sql.SQL("SELECT count(*) FROM {}").format(table.identifier)
    try:
        with session.transaction():
            row = session.execute(query).fetchone()
    except psycopg.errors.InsufficientPrivilege:  # policies, which nobody else's role may pass
        return replace(table, fate="unreadable")
    assert row is not None  # an aggregate
    return replace(table, rows=int(row[0]))
