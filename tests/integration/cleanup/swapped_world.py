"""A world in which a cleanup may happen: swapped eight days ago, locked, backed up, verified.

Time is made by earlier time stamps in the records, never by a false clock.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy.engine import URL

from ops.backup.content import content_of
from ops.backup.files import sha256_of
from ops.backup.run import backup
from ops.books.active_pair import Pair, active_pair
from ops.books.backups import Database, record_dump, record_restored
from ops.books.cutovers import begin_cutover, end_cutover
from ops.books.verifications import record_verification
from ops.cleanup.folders import Rules
from ops.cleanup.scene import Scene
from ops.connection import connect
from ops.content_hash import TableHash
from ops.database_identity import identity, identity_in
from ops.legacy_access.account import begin_window, recorded_access
from ops.state_folder import StateFolder
from ops.write_lock.lock import lock_writes
from tests.served_pair import have_serve

SWAPPED_DAYS_AGO = 8
LEGACY_TABLES = """
CREATE TABLE users (id int PRIMARY KEY, email text);
CREATE TABLE portfolios (id int);
CREATE TABLE positions (id int);
CREATE TABLE prices (day date, close numeric);
INSERT INTO users SELECT g, 'user' || g FROM generate_series(1, 50) AS g;
INSERT INTO prices SELECT date '2025-07-01' + g, g / 7.0 FROM generate_series(1, 100) AS g;
"""


@dataclass(frozen=True)
class WrittenStack:
    """A declared stack in a file: what the engine's would say and do to the old database."""

    file: Path

    def read(self) -> dict[str, Any]:
        return dict(json.loads(self.file.read_text()))

    def _write(self, **values: object) -> None:
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps({**self.read(), **values}))
        part.replace(self.file)

    def active(self) -> Pair:
        return self.read()["active"]  # type: ignore[no-any-return]

    def goes(self) -> dict[str, str]:
        return dict(self.read().get("goes", {}))

    def forget_legacy(self) -> None:
        self._write(legacy="absent", protected=False)

    def settle(self) -> tuple[str, ...]:
        self._write(up=True)
        return ("the service itself",)


@dataclass
class World:
    """Databases of the session's server, a state folder, and folders with files in them."""

    core: URL
    ai: URL
    legacy: URL
    maintenance: URL
    root: Path
    rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        self.rules = Rules(
            folders=(self.root / "dumps",),
            repository=self.root / "dumps" / "repository",
            spared=(self.state.root, self.root / "backups", self.root / "dumps" / "server.log"),
        )

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.root / "state")

    @property
    def stack(self) -> WrittenStack:
        return WrittenStack(self.root / "stack.json")

    def scene(self, **changes: Any) -> Scene:
        told = {
            "core": self.core,
            "ai": self.ai,
            "legacy": self.legacy,
            "maintenance": self.maintenance,
            "state": self.state,
            "rules": self.rules,
            "active": lambda: active_pair(self.core, "old"),
            "stack": self.stack,
            "given_date": (datetime.now(UTC) - timedelta(days=SWAPPED_DAYS_AGO)).date(),
        }
        return Scene(**{**told, **changes})

    def ask(self, url: URL, query: str, *parameters: object) -> list[Any]:
        with connect(url, application_name="tests", autocommit=True) as session:
            cursor = session.execute(query, parameters or None)  # type: ignore[call-overload]
            return list(cursor.fetchall()) if cursor.description else []

    def take_backup(self, database: Database, *, real: bool) -> None:
        """A backup, or what one leaves: a file, and the record that it was restored and equal."""
        url = {"core": self.core, "ai": self.ai, "legacy": self.legacy}[database]
        with recorded_access(self.core, self.legacy, "backup"):
            if real:
                backup(url, database, self.root / "backups", self.core)
                return
            file = self.root / "backups" / f"{database}-by-test.dump"
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"the dump of {database}")
            with connect(url, application_name="tests", read_only=True) as session:
                whose, content = identity_in(session), content_of(session).as_json()
            dump = self.core, database, whose, file, sha256_of(file), content, datetime.now(UTC)
            record_restored(self.core, record_dump(*dump))

    def verified(self, outcome: str = "pass") -> None:
        record_verification(self.state, self.core, [outcome], asked_backend=True)

    def backdate(self) -> None:
        """Let the swap, the lock and the account of accesses be eight days old."""
        ago = timedelta(days=SWAPPED_DAYS_AGO)
        self.ask(
            self.core,
            "UPDATE ops.cutovers SET begun_at = begun_at - %s, ended_at = ended_at - %s",
            ago,
            ago,
        )
        self.backdate_window()

    def backdate_window(self) -> None:
        self.ask(
            self.core,
            "UPDATE ops.legacy_access SET recorded_at = (SELECT max(ended_at) FROM ops.cutovers)"
            " WHERE moment = 'window'",
        )

    def legacy_tables(self) -> dict[str, TableHash] | None:
        """What the old database holds; None where it is gone."""
        found = self.ask(
            self.maintenance, "SELECT 1 FROM pg_database WHERE datname = %s", self.legacy.database
        )
        if not found:
            return None
        with (
            recorded_access(self.core, self.legacy, "tests"),
            connect(self.legacy, application_name="tests", read_only=True) as session,
        ):
            return dict(content_of(session).tables)

    def everything(self) -> dict[str, Any]:
        """All that a refused cleanup must leave as it is."""
        return {**self.surroundings(), "legacy": self.legacy_tables()}

    def surroundings(self) -> dict[str, Any]:
        """`everything` but the old database's rows: to look at those is an access of ours."""
        files = {
            str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.root.rglob("*"))
        }
        return {
            "files": files,
            "tombstones": self.ask(self.core, "SELECT id, state FROM ops.tombstones"),
            "databases": self.ask(self.maintenance, "SELECT oid, datname FROM pg_database"),
        }


def make_files(root: Path) -> None:
    """Files that may go, and many that must not."""
    dumps, outside = root / "dumps", root / "outside"
    for folder in (dumps / "below", dumps / "repository" / ".git", outside, root / "state"):
        folder.mkdir(parents=True)
    for name in ("old.sql", "old.dump", "notes.txt", "old.SQL", "sql", "old.sql.gz", "server.log"):
        (dumps / name).write_text(name)
    (dumps / "below" / "deep.sql").write_text("deep")
    (dumps / "folder.sql").mkdir()
    (dumps / "repository" / "main.py").write_text("code")
    (outside / "precious.sql").write_text("precious")
    (dumps / "link.sql").symlink_to(outside / "precious.sql")
    (dumps / "link").symlink_to(outside)
    (dumps / "repository" / "link").symlink_to(outside)
    stack = {"active": "new", "legacy": "present", "protected": True}
    (root / "stack.json").write_text(json.dumps(stack))


def swap_in(world: World, *, backups: Literal["real", "recorded", "none"]) -> None:
    """What a swap leaves, then a week of quiet, backups and a verification."""
    have_serve(world.core, "new")
    swap = begin_cutover(world.core, "swap", "by-test", identity(world.legacy), 0)
    end_cutover(world.core, swap, "done", {})
    with connect(world.legacy, application_name="tests") as session:
        lock_writes(session)
        session.execute(
            "UPDATE sigmasight_cutover.lock SET locked_at = locked_at - %s",
            [timedelta(days=SWAPPED_DAYS_AGO)],
        )
    begin_window(world.core, world.legacy)
    world.backdate()
    for database in get_args(Database) if backups != "none" else ():
        world.take_backup(database, real=backups == "real")
    world.verified()


@contextmanager
def changed(world: World, url: URL, change: str, back: str) -> Iterator[None]:
    """A change of a database, undone afterwards."""
    world.ask(url, change)
    try:
        yield
    finally:
        world.ask(url, back)
