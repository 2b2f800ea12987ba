"""What Core remembers of backups."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from ops.backup.content import Content
from ops.connection import connect, explained

Database = Literal["core", "ai", "legacy"]


@dataclass(frozen=True)
class Backup:
    """A dump that was taken.

    Attributes:
        identity: of the dumped database: system_identifier, database_oid, database_name.
        content: of the snapshot that was dumped, as `Content.as_json`.
        taken_at: when the snapshot was taken, by the clock of its server.
        restored_at: when the restored copy was found equal; None where it was not.
        removed_at: when retention removed the file.
    """

    id: int
    database: Database
    identity: Mapping[str, Any]
    path: str
    bytes: int
    sha256: str
    content: Mapping[str, Any]
    taken_at: datetime
    restored_at: datetime | None
    removed_at: datetime | None

    @property
    def file(self) -> Path:
        return Path(self.path)

    @property
    def held(self) -> Content:
        """What the dumped database held."""
        return Content.from_json(self.content)


def record_dump(
    core: URL,
    database: Database,
    identity: Mapping[str, Any],
    file: Path,
    sha256: str,
    content: Content,
    taken_at: datetime,
) -> int:
    """Record a dump that is not proved yet; returns its id."""
    with _session(core) as session:
        row = session.execute(
            "INSERT INTO ops.backups (database, identity, path, bytes, sha256, content, taken_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
            [
                database,
                Jsonb(dict(identity)),
                str(file),
                file.stat().st_size,
                sha256,
                Jsonb(content.as_json()),
                taken_at,
            ],
        ).fetchone()
    assert row is not None  # RETURNING
    return int(row[0])


def record_restored(core: URL, backup: int) -> None:
    """Record that the restored copy was found equal."""
    with _session(core) as session:
        session.execute("UPDATE ops.backups SET restored_at = now() WHERE id = %s", [backup])


def record_removed(core: URL, backups: Sequence[int]) -> None:
    """Record that the files are gone."""
    with _session(core) as session:
        session.execute(
            "UPDATE ops.backups SET removed_at = now() WHERE id = ANY(%s)", [list(backups)]
        )


def known_backups(core: URL, database: Database | None = None) -> list[Backup]:
    """The backups whose files were not removed, newest first; of one database or of all."""
    with _session(core) as session, session.cursor(row_factory=class_row(Backup)) as cursor:
        return cursor.execute(
            "SELECT * FROM ops.backups WHERE removed_at IS NULL"
            " AND (%(name)s::text IS NULL OR database = %(name)s) ORDER BY taken_at DESC, id DESC",
            {"name": database},
        ).fetchall()


@contextmanager
def _session(core: URL) -> Iterator[psycopg.Connection]:
    with explained(core), connect(core, application_name="backup record") as session:
        yield session
