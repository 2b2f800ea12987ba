"""What exists: which databases a target has, and which of them the backend uses."""

from dataclasses import dataclass
from typing import Literal

from ops.books.active_pair import Pair
from ops.books.declared_stack import Target
from ops.books.marker import Role
from ops.embedded.databases import SPECS, Name
from ops.errors import ConfigurationError

Presence = Literal["present", "absent"]


def stack_on_host(name: str, identity: str | None) -> str:
    """What a stack is called on a Docker host or in a project, which others may use too."""
    return f"{name}-{identity}" if identity else name


@dataclass(frozen=True)
class DatabaseInstance:
    """A database on a server of its own.

    Attributes:
        extensions: what a superuser creates in it, before any migration.
        marker: which half of a pair it is; None for the old database.
    """

    name: Name
    database: str
    extensions: tuple[str, ...]
    marker: Role | None


@dataclass(frozen=True)
class Topology:
    """The databases of a stack.

    Attributes:
        legacy: whether the old database is part of it.
        active: which databases the backend uses, as is reported: the old one, or Core and AI.

    Raises:
        ConfigurationError: the backend would use what does not exist.
    """

    target: Target
    legacy: Presence
    active: Pair

    def __post_init__(self) -> None:
        if self.active == "old" and self.legacy == "absent":
            raise ConfigurationError(
                "the stack says active: old and legacy: absent, so the backend would have no "
                "database; set active to new, or legacy to present"
            )

    @property
    def instances(self) -> tuple[DatabaseInstance, ...]:
        """What exists, the old database first."""
        names: tuple[Name, ...] = ("core", "ai")
        return tuple(
            _instance(name) for name in (("legacy", *names) if self.legacy == "present" else names)
        )


def _instance(name: Name) -> DatabaseInstance:
    spec = SPECS[name]
    return DatabaseInstance(name, spec.database, spec.extensions, spec.marker)
