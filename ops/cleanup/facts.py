"""What the conditions ask, each question once and live."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from ops.backup.content import Content, content_of
from ops.books.backups import Backup, known_backups
from ops.books.cutovers import Cutover
from ops.books.ledger import last_changes
from ops.books.marker import marked_role
from ops.books.session import open_books
from ops.cleanup.folders import FoundFile, FoundFolder, find_files, find_repository
from ops.cleanup.scene import Scene
from ops.connection import session_at
from ops.database_identity import identity, identity_in, same_identity
from ops.errors import RefusedError
from ops.evidence.cutovers import swap_in_force
from ops.legacy_access.account import AccessEvidence, access_evidence, recorded_access
from ops.write_lock.lock import LockState, lock_state_in


@dataclass(frozen=True)
class LegacyLook:
    """The old database as it is now, seen in one access of ours."""

    identity: Mapping[str, Any]
    marker: str | None
    lock: LockState
    content: Content


@dataclass(frozen=True)
class Facts:
    """Answers about a scene. A question that cannot be answered raises: unknown is not met.

    Attributes:
        ours: whether this run itself holds the phases' locks.
    """

    scene: Scene
    ours: bool = False

    @cached_property
    def swap(self) -> Cutover:
        found = swap_in_force(self.scene.core)
        if found is None or found.ended_at is None:
            raise RefusedError("no swap is in force; the old database still serves")
        return found

    @property
    def swapped_at(self) -> datetime:
        assert self.swap.ended_at is not None  # `swap` has seen to it
        return self.swap.ended_at

    @property
    def legacy_url(self) -> URL:
        if self.scene.legacy is None:
            raise RefusedError("the old database's address is not known; set LEGACY_DATABASE_URL")
        return self.scene.legacy

    @property
    def maintenance_url(self) -> URL:
        if self.scene.maintenance is None:
            raise RefusedError("the old server does not run or is not known; start it")
        return self.scene.maintenance

    @cached_property
    def access(self) -> AccessEvidence:
        return access_evidence(self.scene.core, self.legacy_url)

    @cached_property
    def legacy(self) -> LegacyLook:
        url = self.legacy_url
        # Before our own look, so that it is not taken for somebody else's.
        assert self.access is not None
        with self._accounted(url), session_at(url, "cleanup", read_only=True) as session:
            content = content_of(session)
            lock = lock_state_in(session)
            return LegacyLook(identity_in(session), marked_role(session), lock, content)

    def _accounted(self, url: URL) -> AbstractContextManager[object]:
        """A look at the wrong database is no access to the old one, and would spoil its account."""
        if not same_identity(identity(url), self.swap.legacy):
            return nullcontext()
        return recorded_access(self.scene.core, url, "cleanup")

    @cached_property
    def core_identity(self) -> Mapping[str, Any]:
        return identity(self.scene.core)

    @cached_property
    def ai_identity(self) -> Mapping[str, Any]:
        return identity(self.scene.ai)

    @cached_property
    def backups(self) -> list[Backup]:
        return known_backups(self.scene.core)

    @property
    def backup_files(self) -> list[Path]:
        return [one.file for one in self.backups]

    @cached_property
    def changes(self) -> Mapping[str, datetime]:
        with open_books(self.scene.core) as session:
            return last_changes(session)

    @cached_property
    def files(self) -> list[FoundFile]:
        return find_files(self.scene.rules, self.backup_files)

    @cached_property
    def repository(self) -> FoundFolder | None:
        return find_repository(self.scene.rules, self.backup_files)
