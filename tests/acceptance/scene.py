"""What a case of bad input finds, and whether any of it changed."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect, conninfo
from ops.embedded.server import EmbeddedServer
from tests.databases import NewDatabase

PASSWORD = "canary-8d1f"
Template = Literal["core", "ai", "seeded"]
Environment = dict[str, str | Path]

_RUNNING = ("ops.fencing", "ops.legacy_access", "ops.gate_replicas")


def fingerprint(url: URL) -> dict[str, set[tuple[object, ...]]]:
    """Every object and every row of a database, by who wrote it last.

    Left out are the fencing number, since a run that is refused later may have taken one, the
    account of our own looks at legacy, and what each backend reports twice a second.
    """
    with connect(url, application_name="tests") as connection:
        objects = connection.execute(
            "SELECT oid::regclass::text, relkind, relfilenode, xmin::text FROM pg_class "
            "WHERE oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace ORDER BY oid"
        ).fetchall()
        tables = [name for name, kind, *_ in objects if kind == "r" and name not in _RUNNING]
        rows = connection.execute(_row_sums(tables)).fetchall() if tables else []
        extensions = connection.execute("SELECT extname FROM pg_extension ORDER BY 1").fetchall()
    return {"objects": set(objects), "rows": set(rows), "extensions": set(extensions)}


def _row_sums(tables: Sequence[str]) -> sql.Composed:
    """One query, since a case takes it several times; the names are quoted as regclass does."""
    return sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}, count(*), sum(hashtextextended(ctid::text || xmin, 0)) FROM {}").format(
            sql.Literal(name), sql.SQL(name)
        )
        for name in tables
    )


@dataclass
class Scene:
    """Databases on a real server, made as a case needs them, and watched.

    Attributes:
        folder: empty; for files of the case.
    """

    server: EmbeddedServer
    new_database: NewDatabase
    templates: Mapping[Template, str]
    folder: Path
    watched: list[URL] = field(default_factory=list)
    _ending: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.close()
        for servers in self.folder.glob("*/servers"):  # for root they may lie elsewhere
            shutil.rmtree(servers.resolve())

    def database(self, template: Template | None = None) -> URL:
        """A database: empty, or a clone of a migrated or seeded one."""
        url = self.new_database(self.templates[template] if template else None)
        self.watched.append(url)
        return url

    def execute(self, url: URL, *statements: str) -> URL:
        with connect(url, application_name="tests", autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return url

    def pair(self, core: URL | None = None, ai: URL | None = None) -> Environment:
        """The environment of an external target; halves that are not given are sound."""
        core = core or self.database("core")
        ai = ai or self.database("ai")
        return {"DATABASE_URL": conninfo(core), "AI_DATABASE_URL": conninfo(ai)}

    def role(self, url: URL, *grants: str, login: bool = True) -> URL:
        """The database's address for a new role that has nothing but `grants`."""
        name = f"{url.database}_role"
        word = "LOGIN" if login else "NOLOGIN"
        self.execute(
            url,
            f"CREATE ROLE {name} {word} PASSWORD '{PASSWORD}'",
            *(f"GRANT {grant} TO {name}" for grant in grants),
        )
        self._ending.callback(self.execute, url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")
        return url.set(username=name, password=PASSWORD)

    def on_full_disk(self, template: Template) -> URL:
        """A clone in a tablespace without a free page. Needs root and mount."""
        place = self.server.folder / "tiny"  # where the server's account can get to
        place.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place])
        mounted.check_returncode()
        self._ending.callback(subprocess.run, ["umount", "-l", place], check=True)
        home = place / "tablespace"
        home.mkdir()
        self.server.account.own(home)
        name = f"{self.folder.name}_full".replace("-", "_")
        self.execute(
            self.server.url(),
            f"CREATE TABLESPACE tiny LOCATION '{home}'",
            f"CREATE DATABASE {name} TEMPLATE {self.templates[template]} TABLESPACE tiny",
        )
        self._ending.callback(
            self.execute,
            self.server.url(),
            f"DROP DATABASE {name} WITH (FORCE)",
            "DROP TABLESPACE tiny",
        )
        self.watched.append(self.server.url(name))
        fingerprint(self.watched[-1])  # a first session writes caches, which needs space
        filler = place / "filler"
        filler.write_bytes(b"\0" * shutil.disk_usage(place).free)
        return self.watched[-1]

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def state(self, **documents: str) -> Path:
        """A state folder with documents as somebody left them."""
        folder = self.folder / "state"
        folder.mkdir()
        for name, text in documents.items():
            (folder / f"{name}.json").write_text(text)
        return folder


def may_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None and _mounts()


def _mounts() -> bool:
    """Containers may have root without the right to mount."""
    probe = Path("/tmp") / f"sigmasight-mount-{os.getpid()}"
    probe.mkdir()
    try:
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", probe], capture_output=True).returncode:
            return False
        subprocess.run(["umount", "-l", probe], check=True)
        return True
    finally:
        probe.rmdir()


Arrange = Callable[[Scene], Environment]
