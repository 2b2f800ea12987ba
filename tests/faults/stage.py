"""Embedded servers that a test may kill, and their databases put back to a known point."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.content_hash import TableHash
from ops.embedded.databases import NAMES, SPECS, EmbeddedDatabases, Name
from ops.provision import OWNER
from ops.state_folder import StateFolder
from tests.acceptance.command_line import CommandLine, Outcome, Pause, Running
from tests.database_content import database_hash

SMALL_BOOK = ("Individual Brokerage", "Private Opportunities", "Education Savings")
TEN_DAYS = ("--first", "2025-07-01", "--last", "2025-07-15")
# Nothing of a test must survive a crash of the machine, and what is thrown away after a second
# needs no vacuum. But commits are written at once: a killed server must not lose any.
SPARING = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "scram_iterations": "1",
    "min_wal_size": "64MB",
    "max_wal_size": "512MB",
}
KEPT: tuple[Name, ...] = ("core", "ai")  # the old database is only read
PHASES: dict[str, tuple[str, ...]] = {
    "migrate": ("migrate",),
    "seed": ("seed",),
    "copy": ("copy",),
    "copy_again": ("copy",),
    "backfill": ("backfill", *TEN_DAYS),
}


@dataclass(frozen=True)
class Content:
    """What a phase leaves, as far as it must be the same after any interruption."""

    rows: Mapping[str, TableHash]
    ledger: list[tuple[object, ...]]
    objects: list[tuple[object, ...]]


@dataclass
class Stage:
    """A state folder with its three servers.

    Attributes:
        contents: what Core and AI held when they were kept, by the name of that point.
    """

    command_line: CommandLine
    home: Path
    contents: dict[str, Content] = field(default_factory=dict)

    def make(self) -> None:
        """Make the servers, and the demo's old database."""
        self.databases.state.create()
        for name in NAMES:
            replace(self.databases.server(name), settings=SPARING).create()
        self.must("up")
        self._keep("nothing")

    @property
    def databases(self) -> EmbeddedDatabases:
        return EmbeddedDatabases(StateFolder(self.home))

    def run(self, *words: str) -> Outcome:
        return self.command_line.run(*words, SIGMASIGHT_HOME=self.home)

    def must(self, *words: str) -> Outcome:
        outcome = self.run(*words)
        assert outcome.code == 0, outcome
        return outcome

    def start(self, words: tuple[str, ...], pause: Pause) -> Running:
        """A command that has come to its pause."""
        running = self.command_line.start(words, {"SIGMASIGHT_HOME": self.home}, pause)
        running.wait_for(pause.reached)
        return running

    def url(self, name: Name) -> URL:
        """The superuser's address."""
        return self.databases.server(name).url(SPECS[name].database)

    def kill(self, name: Name) -> None:
        """SIGKILL a postmaster; its children leave by themselves, a little later."""
        process = self.databases.server(name).process()
        assert process is not None
        process.kill()
        process.wait(timeout=20)

    def content_at(self, point: str) -> Content:
        """What both databases hold there, when nothing disturbed the way to it."""
        if point not in self.contents:
            before, go_on = POINTS[point]
            self.back_to(before)
            go_on(self)
            self._keep(point)
        return self.contents[point]

    def back_to(self, point: str) -> None:
        """Both databases as they are there, after whatever the test before has left."""
        self.databases.up()
        self.content_at(point)
        for name in KEPT:
            self._clone(name, f"at_{point}", SPECS[name].database)

    def _keep(self, point: str) -> None:
        self.contents[point] = self.content()
        for name in KEPT:
            self._clone(name, SPECS[name].database, f"at_{point}")

    def _clone(self, name: Name, template: str, database: str) -> None:
        names = {
            "database": sql.Identifier(database),
            "template": sql.Identifier(template),
            "owner": sql.Identifier(OWNER),
        }
        url = self.databases.server(name).url()
        with connect(url, application_name="tests", autocommit=True) as connection:
            for statement in (
                "DROP DATABASE IF EXISTS {database} WITH (FORCE)",
                "CREATE DATABASE {database} TEMPLATE {template} OWNER {owner}",
            ):
                connection.execute(sql.SQL(statement).format(**names))

    def content(self) -> Content:
        core, ai = self.url("core"), self.url("ai")
        rows = {**database_hash(core), **database_hash(ai)}
        return Content(rows, _ledger(core), [*_objects(core), *_objects(ai)])

    def sessions_of_the_dead(self) -> list[tuple[object, ...]]:
        """What sessions of commands still hold, once their servers had time to notice."""
        deadline = time.monotonic() + 10
        while found := [*_sessions(self.url("core")), *_sessions(self.url("ai"))]:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        return found


def _keep_small_book(stage: Stage) -> None:
    with connect(stage.url("core"), application_name="tests") as connection:
        connection.execute(
            "UPDATE portfolios SET deleted_at = now() WHERE account_name <> ALL(%s)",
            [list(SMALL_BOOK)],
        )


def _spoil_prices(stage: Stage) -> None:
    with connect(stage.url("core"), application_name="tests") as connection:
        connection.execute("DELETE FROM market_data_cache WHERE symbol = 'SPY'")
        connection.execute("UPDATE market_data_cache SET close = close + 1 WHERE symbol = 'VTV'")


def _phase(name: str) -> Callable[[Stage], object]:
    return lambda stage: stage.must(*PHASES[name])


# Each with the one before it, and how to go on from there.
POINTS: Mapping[str, tuple[str, Callable[[Stage], object]]] = {
    "migrate": ("nothing", _phase("migrate")),
    "seed": ("migrate", _phase("seed")),
    "whole_copy": ("seed", _phase("copy")),  # the whole demo book
    "small_seed": ("seed", _keep_small_book),
    "copy": ("small_seed", _phase("copy")),
    "stale": ("copy", _spoil_prices),  # some are missing, some are not as legacy has them
    "copy_again": ("stale", _phase("copy_again")),
    "backfill": ("copy", _phase("backfill")),
}


def _ledger(core: URL) -> list[tuple[object, ...]]:
    with connect(core, application_name="tests") as connection:
        if connection.execute("SELECT to_regclass('ops.backfill_ledger')").fetchone() == (None,):
            return []
        return connection.execute(
            "SELECT portfolio_id, calculation_date, status FROM ops.backfill_ledger ORDER BY 1, 2"
        ).fetchall()


def _objects(url: URL) -> list[tuple[object, ...]]:
    """Every relation, with its definition where it is an index; temporary ones included."""
    with connect(url, application_name="tests") as connection:
        return connection.execute(
            """
            SELECT n.nspname, c.relname, c.relkind, pg_get_indexdef(i.indexrelid), i.indisvalid
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
            WHERE c.oid >= 16384 AND n.nspname !~ '^pg_toast'
            ORDER BY 1, 2
            """
        ).fetchall()


def _sessions(url: URL) -> list[tuple[object, ...]]:
    with connect(url, application_name="tests") as connection:
        return connection.execute(
            """
            SELECT application_name, state FROM pg_stat_activity
            WHERE application_name LIKE 'sigmasight %' AND pid <> pg_backend_pid()
            UNION ALL
            SELECT 'lock', locktype FROM pg_locks WHERE locktype = 'advisory'
            """
        ).fetchall()
