"""What Core remembers of backups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from ops.books.session import open_books
from ops.connection import first_value, rows_as

Database = Literal["core", "ai", "legacy"]


@dataclass(frozen=True)
class Backup:
    """A dump that was taken.

    Attributes:
        identity: of the dumped database: system_identifier, database_oid, database_name.
        content: of the snapshot that was dumped, as `ops.backup.content` writes it.
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


def record_dump(
    core: URL,
    database: Database,
    identity: Mapping[str, Any],
    file: Path,
    sha256: str,
    content: Mapping[str, Any],
    taken_at: datetime,
) -> int:
    """Record a dump that is not proved yet; returns its id."""
    with open_books(core) as session:
        recorded: int = first_value(
            session,
            "INSERT INTO ops.backups (database, identity, path, bytes, sha256, content, taken_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
            [
                database,
                Jsonb(dict(identity)),
                str(file),
                file.stat().st_size,
                sha256,
                Jsonb(dict(content)),
                taken_at,
            ],
        )
    return recorded


def record_restored(core: URL, backup: int) -> None:
    """Record that the restored copy was found equal."""
    with open_books(core) as session:
        session.execute("UPDATE ops.backups SET restored_at = now() WHERE id = %s", [backup])


def record_removed(core: URL, backups: Sequence[int]) -> None:
    """Record that the files are gone."""
    with open_books(core) as session:
        session.execute(
            "UPDATE ops.backups SET removed_at = now() WHERE id = ANY(%s)", [list(backups)]
        )


def backups_in(session: psycopg.Connection[Any]) -> list[Backup]:
    """The backups whose files were not removed, newest first."""
    kept = "SELECT * FROM ops.backups WHERE removed_at IS NULL ORDER BY taken_at DESC, id DESC"
    return rows_as(Backup, session, kept)


def known_backups(core: URL, database: Database | None = None) -> list[Backup]:
    """`backups_in` of a Core database; of one database or of all."""
    with open_books(core) as session:
        known = backups_in(session)
    return [one for one in known if database in (None, one.database)]
