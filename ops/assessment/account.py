"""The account of the old database, read in one snapshot and changing nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.assessment.fates import (
    COPIED,
    Fate,
    declared_relation,
    fate_of_table,
    fates_of_columns,
)
from ops.assessment.left_behind import STATES, count_left_behind, days_to_compute
from ops.assessment.pace import read_seconds
from ops.books.ledger import ComputedDays
from ops.connection import (
    POLICIES_ADVICE,
    first_line,
    rows_as,
    session_at,
    shown_address,
)
from ops.copy.catalogue import read_relations
from ops.copy.errors import LegacyShapeError
from ops.copy.groups import GROUPS, tables_of
from ops.copy.legacy import Legacy
from ops.copy.plan import EVERY, plan_table
from ops.legacy_schema import LegacySchema, LegacySchemaError, enter_legacy
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
        is_view: whether its rows are derived from those of others.
        extension: to which it belongs.
        parents: the schemas of the tables that it is a partition or an heir of.
        read_by: views of its schema.
        triggers: its own, by name.
        columns: those of its heirs too.
        rows: None where it cannot be read.
        rule: why it, or what of it, is left out; why it cannot be read.
    """

    schema: str
    name: str
    owner: str
    readable: bool
    bytes: int
    row_security: bool
    elsewhere: bool
    is_view: bool
    extension: str | None
    parents: Sequence[str]
    read_by: Sequence[str]
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
    def is_history(self) -> bool:
        """Whether each batch adds the rows of its days."""
        return self.fate == "recomputed" and self.name not in STATES

    @property
    def is_brought(self) -> bool:
        """Whether a move reads its rows."""
        return self.fate in ("copied", "seeded")

    @property
    def identifier(self) -> sql.Identifier:
        """The table in a statement."""
        return sql.Identifier(self.schema, self.name)

    @property
    def column_fates(self) -> dict[str, Fate]:
        """What becomes of each column."""
        return fates_of_columns(self.name, self.fate, self.columns)


@dataclass(frozen=True)
class Surroundings:
    """What lies around the tables.

    Attributes:
        bytes: of the whole database.
        event_triggers, publications, subscriptions: by name.
        large_objects: how many.
        follows: whether this is a standby of another server.
        direct: whether no pooler is in between.
    """

    server_version: str
    encoding: str
    bytes: int
    event_triggers: Sequence[str]
    publications: Sequence[str]
    subscriptions: Sequence[str]
    large_objects: int
    follows: bool
    direct: bool


@dataclass(frozen=True)
class Account:
    """Every table of the old database.

    Attributes:
        address: without a password.
        schema: where the installation is; None where that cannot be told, and then it is undecided
            what becomes of a table.
        read_seconds: what a copy takes at least; see `ops.assessment.pace`. None without a schema.
        refusals: why it cannot be moved, one line each.
    """

    address: str
    schema: str | None
    tables: Sequence[TableAccount]
    surroundings: Surroundings
    read_seconds: float | None
    refusals: Sequence[str] = field(default_factory=tuple)

    @property
    def go(self) -> bool:
        """Whether it can be moved."""
        return not self.refusals

    @cached_property
    def unknown(self) -> dict[str, int] | None:
        """Tables that nothing of ours knows and that hold rows, with how many: what a move leaves
        behind. Those of the installation's schema are a part of the swap's price. None while no
        schema is known."""
        return None if self.schema is None else _rows_of_unknown(self.tables)


def assess(url: URL) -> Account:
    """Account for every table and column of the old database. It is only read.

    Raises:
        ConfigurationError: it cannot be reached, or its tables cannot be counted.
    """
    with _reader(url) as session:
        around = _surroundings(session)
        place, refusals = _home(session, url)
        schema = None if place is None else place.name
        computed = None if place is None else days_to_compute(session)
        counted = [_counted(session, table, computed) for table in _relations(session, schema)]
        brought = [(one.identifier, one.rows) for one in counted if one.is_brought and one.rows]
        seconds = None if place is None else read_seconds(session, brought)
        refusals += tuple(_hidden(session, counted, schema)) + tuple(_too_old(session))
        if place is not None:
            refusals += tuple(_misshapen(session, url, place))
    return Account(shown_address(url), schema, counted, around, seconds, refusals)


def _misshapen(session: psycopg.Connection, url: URL, place: LegacySchema) -> Iterator[str]:
    """Why a copy into what our chains build would refuse a table."""
    legacy = Legacy(session, url, place, read_relations(session, COPIED, place.name), foreign="")
    for spec in tables_of(GROUPS):
        try:
            plan_table(legacy, declared_relation(spec), spec)
        except LegacyShapeError as error:
            yield str(error)


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
    """Why a copy would refuse tables that it reads: policies hide rows, or a view of them fails."""
    behind_policies = []
    for table in tables:
        moved = table.schema == schema and fate_of_table(table.name)[0] in ("copied", "seeded")
        if moved and table.fate == "unreadable" and not table.row_security:
            yield f"{table.shown} cannot be read: {table.rule}; mend or drop it"
        elif moved and table.fate == "unreadable":
            behind_policies.append(table.shown)
    if behind_policies:
        yield (
            f"policies may hide rows of {', '.join(behind_policies)} from role "
            f"{session.info.user!r}; {POLICIES_ADVICE}"
        )


def rows_left_behind(
    session: psycopg.Connection,
    schema: str,
    computed: ComputedDays,
    not_copied: Mapping[str, sql.Composable],
) -> tuple[dict[str, int], dict[str, int]]:
    """What of the installation's schema stays there, as a snapshot of legacy sees it: rows of the
    tables that nothing of ours knows, and rows of days that no batch computes again, by table.

    Args:
        not_copied: by table that is copied in part, which rows are left to the batch.

    Raises:
        LegacySchemaError: one cannot be read, so that nobody could say what is lost with it.
    """
    tables = [table for table in _relations(session, schema) if table.schema == schema]
    counted = [_counted(session, table) for table in tables if table.fate == "unknown"]
    found = [*tables, *counted]
    if closed := [table.shown for table in found if table.fate == "unreadable"]:
        raise LegacySchemaError(
            f"role {session.info.user!r} may not read {', '.join(closed)} of the old database, so "
            "what would be lost with it cannot be said; GRANT SELECT on it, or drop it"
        )
    batchs = [table for table in tables if table.is_history or table.name in not_copied]
    uncomputed = {
        f"{table.name} of days not computed": _left(session, table, computed, not_copied)
        for table in batchs
    }
    return _rows_of_unknown(counted), {name: rows for name, rows in uncomputed.items() if rows}


def _left(
    session: psycopg.Connection,
    table: TableAccount,
    computed: ComputedDays,
    not_copied: Mapping[str, sql.Composable] = MappingProxyType({}),
) -> int:
    place, which = (table.schema, table.name), not_copied.get(table.name, EVERY)
    return count_left_behind(session, place, table.columns, computed, which)


def _rows_of_unknown(tables: Sequence[TableAccount]) -> dict[str, int]:
    return {table.shown: table.rows for table in tables if table.fate == "unknown" and table.rows}


@contextmanager
def _reader(url: URL) -> Iterator[psycopg.Connection]:
    with session_at(url, "assessment", snapshot=True) as session:
        # Rows that policies hide are an error, not a smaller number.
        session.execute("SET row_security = off")
        yield session


def _relations(session: psycopg.Connection, schema: str | None) -> list[TableAccount]:
    """All but the parts of tables of their schema or of the installation's, each with its fate."""
    found = rows_as(TableAccount, session, statement("assessment/relations"))
    whole = [one for one in found if not {one.schema, schema}.intersection(one.parents)]
    return [_judged(table, schema) for table in whole]


def _surroundings(session: psycopg.Connection) -> Surroundings:
    asked = {"greeted_by": session.info.backend_pid}
    [found] = rows_as(Surroundings, session, statement("assessment/surroundings"), asked)
    return found


def _home(session: psycopg.Connection, url: URL) -> tuple[LegacySchema | None, tuple[str, ...]]:
    try:
        return enter_legacy(session, url, COPIED), ()
    except LegacySchemaError as error:
        return None, (str(error),)


def _judged(table: TableAccount, schema: str | None) -> TableAccount:
    """The table with what becomes of it. Tables of other schemas are strangers; while none is known
    to be the installation's, any could be."""
    fate, rule = fate_of_table(table.name) if table.schema == schema else ("unknown", "")
    if schema is None:
        fate = "undecided"
    if table.extension is not None:
        fate, rule = "left out", f"a part of extension {table.extension}"
    if fate == "unknown" and table.is_view:
        fate = "derived"
    if fate == "unknown" and table.elsewhere:
        fate, rule = "left out", "a foreign table: another database keeps its rows"
    if fate in ("unknown", "recomputed", "undecided") and not table.readable:
        fate = "unreadable"
    return replace(table, fate=fate, rule=rule)


def _counted(
    session: psycopg.Connection, table: TableAccount, computed: ComputedDays | None = None
) -> TableAccount:
    """The table with its rows; of a batch's history those besides that no batch of these days
    computes again."""
    if not table.readable or (table.elsewhere and table.fate == "left out"):
        return table
    if table.is_view and (table.fate == "derived" or table.extension):
        return table
    try:
        with session.transaction():
            rows = _rows(session, table.identifier)
            history = computed if rows and table.is_history else None
            left = _left(session, table, history) if history else 0
            behind = _behind_view(session, table, rows)
    except psycopg.Error as error:  # policies, a view that fails, one that was never filled
        if session.closed:
            raise
        return replace(table, fate="unreadable", rule=first_line(error))
    if behind is not None:
        return replace(table, rows=rows, fate="left out", rule=f"view {behind} is copied instead")
    rule = f"{left:,} rows of other days are left out" if left else table.rule
    return replace(table, rows=rows, rule=rule)


def _behind_view(session: psycopg.Connection, table: TableAccount, rows: int) -> str | None:
    """The view of a copied name that shows all rows of an unknown table, if there is one."""
    views = COPIED.intersection(table.read_by) if table.fate == "unknown" and rows else ()
    identifiers = {view: sql.Identifier(table.schema, view) for view in sorted(views)}
    return next((view for view, one in identifiers.items() if _rows(session, one) == rows), None)


def _rows(session: psycopg.Connection, relation: sql.Identifier) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(relation)
    [(rows,)] = session.execute(query).fetchall()
    return int(rows)
