"""What a cleanup looks at and works on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy.engine import URL

from app.database_url import same_database
from ops.backend.serving import serving_pair
from ops.books.active_pair import Pair
from ops.cleanup.folders import Rules
from ops.embedded.databases import EmbeddedDatabases
from ops.endpoints import Endpoints, resolve_endpoints
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder


class DeclaredLegacy(Protocol):
    """A declared stack, as far as a cleanup changes it. Each method is idempotent."""

    def goes(self) -> Mapping[str, str]:
        """What the stack will remove with the old database, by its name, with what tells it from
        another of that name. Nothing is changed."""

    def forget_legacy(self) -> None:
        """Declare the old database as absent and lift its protection, so that no later `up` brings
        it back."""

    def settle(self) -> Sequence[str]:
        """Bring the stack up: what it shows afterwards is what is declared. Returns what a person
        has still to remove, a line each."""


@dataclass(frozen=True)
class Scene:
    """The databases, the folders and the rules of a cleanup.

    Attributes:
        legacy: None where the old database is not known any more.
        maintenance: from which database of the old server it is dropped.
        own_server: the embedded databases, where the old server is one of ours.
        stack: None where nothing is declared.
        active: asks for the active pair.
        backend_expected: whether a backend is ours to ask.
        waiver: who does without a dump of the old database, and why.
    """

    core: URL
    ai: URL
    legacy: URL | None
    maintenance: URL | None
    state: StateFolder
    rules: Rules
    active: Callable[[], Pair]
    own_server: EmbeddedDatabases | None = None
    stack: DeclaredLegacy | None = None
    given_date: date | None = None
    backend_expected: bool = False
    waiver: str | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def shared(self) -> bool:
        """Whether Core and AI are one database."""
        return same_database(self.core, self.ai)


def scene_of(
    settings: OperatorSettings, stack: DeclaredLegacy | None = None, waiver: str | None = None
) -> Scene:
    """What the settings say.

    Raises:
        ConfigurationError: there are no databases, or an address cannot be used.
    """
    endpoints = resolve_endpoints(settings)
    own = _own_server(settings, endpoints)
    return Scene(
        core=endpoints.core,
        ai=endpoints.ai,
        legacy=endpoints.legacy,
        maintenance=_maintenance(settings, endpoints, own),
        state=settings.state,
        rules=rules_of(settings),
        active=lambda: serving_pair(settings),
        own_server=own,
        stack=stack,
        given_date=settings.CLEANUP_DATE,
        backend_expected=settings.backend_expected,
        waiver=waiver,
    )


def rules_of(settings: OperatorSettings) -> Rules:
    """Which files may go, and which may not."""
    spared: tuple[Path, ...] = (settings.state.root, settings.backups)
    if settings.BACKEND_LOG is not None:
        spared = (*spared, settings.BACKEND_LOG)
    return Rules(
        folders=settings.CLEANUP_FOLDERS,
        recursive=settings.CLEANUP_RECURSIVE,
        repository=settings.REPOSITORY_FOLDER,
        spared=tuple(path.expanduser().absolute() for path in spared),
    )


def _own_server(settings: OperatorSettings, endpoints: Endpoints) -> EmbeddedDatabases | None:
    databases = EmbeddedDatabases(settings.state)
    given = settings.LEGACY_DATABASE_URL or settings.LEGACY_DATABASE_ADMIN_URL
    return databases if endpoints.target == "embedded" and given is None else None


def _maintenance(
    settings: OperatorSettings, endpoints: Endpoints, own: EmbeddedDatabases | None
) -> URL | None:
    if own is not None:
        server = own.server("legacy")
        return server.url() if server.running_port() else None
    return endpoints.legacy and endpoints.legacy.set(database=settings.MAINTENANCE_DATABASE)
