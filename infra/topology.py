"""What exists: which databases a target has, and which of them the backend uses."""

from dataclasses import dataclass
from typing import Literal

from ops.books.active_pair import Pair
from ops.books.declared_stack import Target
from ops.embedded.databases import Name
from ops.errors import ConfigurationError

Presence = Literal["present", "absent"]


def stack_on_host(name: str, identity: str | None) -> str:
    """What a stack is called on a Docker host or in a project, which others may use too."""
    return f"{name}-{identity}" if identity else name


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
    def databases(self) -> tuple[Name, ...]:
        """What exists, the old database first, each on a server of its own."""
        return ("legacy", "core", "ai") if self.legacy == "present" else ("core", "ai")
