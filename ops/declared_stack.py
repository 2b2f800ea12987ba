"""What the phases know of a stack that was brought up: its target, and where its databases are."""

from collections.abc import Mapping
from typing import Literal

from ops.state_folder import StateFolder

Target = Literal["embedded", "docker", "external"]
_DOCUMENT = "stack"


def record_declared(state: StateFolder, target: Target, urls: Mapping[str, str | None]) -> None:
    """Remember where the databases of a declared stack are, for the phases that follow.

    Args:
        urls: the owners' addresses of core, ai and legacy.
    """
    state.write(_DOCUMENT, {"target": target, **urls})


def declared_target(state: StateFolder) -> Target | None:
    """The target of the stack that was brought up last, if any."""
    found: Target | None = state.read(_DOCUMENT).get("target")
    return found


def declared_urls(state: StateFolder) -> Mapping[str, str | None]:
    """The owners' addresses by database; empty for embedded servers, which are found by their own
    record."""
    return {name: url for name, url in state.read(_DOCUMENT).items() if name != "target"}
