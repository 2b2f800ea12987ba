"""What a rollback lost comes back: a file of losses into the databases that serve."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy.engine import URL

from app.database_url import same_database
from ops.carrying.losses_file import LossesFile, Manifest, open_losses
from ops.carrying.staging import classify, make_staging, stage_file
from ops.carrying.target import Target, read_targets
from ops.carrying.writing import ELSEWHERE, NOT_TAKEN, write_staged
from ops.connection import connect, explained, shown_address
from ops.copy.report import Guard, no_guard
from ops.copy.stream import rows_of, stream
from ops.errors import ConfigurationError, RefusedError, SigmaSightError, WrongDatabaseError
from ops.legacy_schema import NoInstallationError, enter_legacy
from ops.user_tables import USER_TABLES, Half, UserTable
from ops.write_lock.lock import lock_state

_LOCK_TIMEOUT = "30s"


@dataclass(frozen=True)
class TableImport:
    """What became of the changes to a table.

    Attributes:
        already: changes that were there before.
        conflicts: changes that were not made, because something else would have been lost.
    """

    table: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    already: int = 0
    conflicts: int = 0


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        tables: those that the file has changes of, in the order of their references.
        conflicts_file: where each conflict stands with its reason; None where there is none.
    """

    tables: tuple[TableImport, ...]
    conflicts_file: Path | None

    @property
    def written(self) -> int:
        """Changes that were made now."""
        return sum(table.inserted + table.updated + table.deleted for table in self.tables)

    @property
    def conflicts(self) -> int:
        """Changes that were not made."""
        return sum(table.conflicts for table in self.tables)

    def lines(self) -> list[str]:
        """For a terminal."""
        return [
            f"{table.table}: {table.inserted:,} inserted, {table.updated:,} updated, "
            f"{table.deleted:,} deleted, {table.already:,} there already, "
            f"{table.conflicts:,} in conflict"
            for table in self.tables
        ] or ["the file holds no changes"]


class ConflictsError(SigmaSightError):
    """Some changes of a file were not made, because something else would have been lost."""


def refuse_conflicts(report: ImportReport) -> None:
    """Let no conflict pass unseen.

    Raises:
        ConflictsError: there is one.
    """
    if report.conflicts:
        total = report.conflicts + report.written + sum(table.already for table in report.tables)
        raise ConflictsError(
            f"{report.conflicts:,} of {total:,} changes contradict what is there and were not "
            f"imported; each stands with its reason in {report.conflicts_file}",
            document={"tables": report.tables, "conflicts_file": report.conflicts_file},
        )


def import_losses(
    path: Path, core_url: URL, ai_url: URL, *, guard: Guard = no_guard
) -> ImportReport:
    """Make the changes of an exported file in the pair that serves; where that is legacy, both
    addresses are its own. Ids are kept. Idempotent, as is a run after a killed one.

    A row is written only where nothing else is lost by it: an update or deletion only over the row
    that the swap left, or one that was not touched since. All else is a conflict: nothing of it is
    written, and it is listed in a file beside the given one.

    Args:
        guard: called with Core's connection as the last act of its transaction.

    Raises:
        BadInputError: the file is not whole, not ours, or holds what no column takes; nothing was
            changed.
        RefusedError: the database is locked against writes.
        WrongDatabaseError: the database holds none of the tables.
    """
    # Core before AI: what AI holds refers to Core.
    pair: dict[URL, tuple[Half, ...]] = {core_url: ("core",), ai_url: ("ai",)}
    if same_database(core_url, ai_url):
        pair = {core_url: ("core", "ai")}
    with open_losses(path) as file, ExitStack() as stack:
        file.check()  # the whole, before any database is asked
        databases = [stack.enter_context(_opened(url, pair[url], file.manifest)) for url in pair]
        _write(databases, file)
        report = _report(databases, path)
        guard(databases[0].session)
        for database in databases:
            database.session.commit()
    return report


@dataclass(frozen=True)
class _Database:
    """A database of the pair, in one transaction, with its tables that the file has changes of."""

    session: psycopg.Connection
    targets: Sequence[Target]


@contextmanager
def _opened(url: URL, halves: Sequence[Half], manifest: Manifest) -> Iterator[_Database]:
    """Make room for the file's rows in a database that holds these halves.

    Raises:
        RefusedError: the database is locked against writes.
        WrongDatabaseError: it is none of ours.
        LegacySchemaError: see `ops.legacy_schema.enter_legacy`.
    """
    with explained(url), connect(url, application_name="import") as session:
        session.execute("SELECT set_config('lock_timeout', %s, true)", [_LOCK_TIMEOUT])
        owned = [table for table in USER_TABLES if table.database in halves]
        schema = _schema(session, url, owned)
        kept = [table for table in owned if table in manifest.tables]
        targets = read_targets(session, kept, schema, manifest.since)
        for target in targets:
            if target.relation is not None:
                # From here on nobody can lock the table against writes.
                session.execute(sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(target.name))
        if (found := lock_state(url)).any_locked:
            raise RefusedError(
                f"{shown_address(url)} is {found} against writes since the swap, so nothing can "
                "be imported there; roll back first, or correct the address"
            )
        make_staging(session, targets)
        yield _Database(session, targets)


def _schema(session: psycopg.Connection, url: URL, owned: Sequence[UserTable]) -> str:
    """Where the tables are: an old database may have them anywhere, and lack any but the first."""
    try:
        schema = enter_legacy(session, url, [table.name for table in owned]).name
    except NoInstallationError:
        schema = "public"
    if read_targets(session, owned[:1], schema)[0].relation is None:
        raise WrongDatabaseError(
            f"{shown_address(url)} has no table {owned[0].name!r} of ours; correct the address"
        )
    return schema


def _write(databases: list[_Database], file: LossesFile) -> None:
    targets = [target for database in databases for target in database.targets]
    for target in targets:
        stage_file(target, file)
    for target in targets:
        classify(target)
    for database in databases:
        if database is not databases[0]:
            _tell_not_taken(databases[0].session, database.session)
        write_staged(database.session, database.targets)


def _tell_not_taken(core: psycopg.Connection, ai: psycopg.Connection) -> None:
    """Tell AI which rows of Core were not taken; its own rows of those are not imported either."""
    rows = sql.SQL(
        "SELECT table_name, key, {}::text FROM cutover_changes WHERE before IS NULL"
        " AND state <> 'conflict' AND state = ANY({})"
    ).format(ELSEWHERE, sql.Literal(NOT_TAKEN))
    columns = ("table_name", "key", "state")
    stream(rows_of(core, rows), ai, sql.Identifier("cutover_changes"), columns)


def _report(databases: list[_Database], path: Path) -> ImportReport:
    tables = tuple(table for database in databases for table in _counted(database))
    conflicts = path.with_name(f"{path.name}.conflicts")
    if not any(table.conflicts for table in tables):
        conflicts.unlink(missing_ok=True)  # of an earlier run, whose conflicts are settled
        return ImportReport(tables, None)
    _write_conflicts(databases, conflicts)
    return ImportReport(tables, conflicts)


def _counted(database: _Database) -> Iterator[TableImport]:
    query = (
        "SELECT table_name, CASE state WHEN 'written' THEN change WHEN 'already' THEN state"
        " ELSE 'conflicts' END, count(*) FROM cutover_changes GROUP BY 1, 2"
    )
    rows = database.session.execute(query).fetchall()
    for target in database.targets:
        name = target.table.name
        yield TableImport(name, **{what: count for table, what, count in rows if table == name})


def _write_conflicts(databases: list[_Database], path: Path) -> None:
    """List each conflict by its key; what stood in the rows stays in the file alone.

    Raises:
        ConfigurationError: the list cannot be written; nothing is imported then.
    """
    query = (
        "SELECT line AS row, table_name AS table, change, key::text, reason FROM cutover_changes"
        " WHERE state = ANY(%s) ORDER BY table_name, line"
    )
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            for database in databases:
                with database.session.cursor("conflicts", row_factory=dict_row) as cursor:
                    for line in cursor.execute(query, [NOT_TAKEN]):
                        file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written ({error.strerror or error}), so conflicts could not be "
            "listed; nothing was imported"
        ) from None
