"""What the phases know of a stack that was brought up: its target, and where its databases are."""

from collections.abc import Mapping
from typing import Literal

from ops.books.active_pair import Pair
from ops.state_folder import StateFolder

Target = Literal["embedded", "docker", "external"]
_DOCUMENT = "stack"
_DATABASES = ("core", "ai", "legacy")


def record_declared(
    state: StateFolder,
    target: Target,
    urls: Mapping[str, str | None],
    *,
    name: str | None = None,
    active: Pair | None = None,
) -> None:
    """Remember where the databases of a declared stack are, for the phases that follow.

    Args:
        urls: the owners' addresses of core, ai and legacy.
        name: the stack's, by default its target's.
        active: the pair that its backend was given; the state folder says that of embedded ones.
    """
    told = {"target": target, "name": name or target, "active": active}
    state.write(_DOCUMENT, {**told, **urls})


def declared_target(state: StateFolder) -> Target | None:
    """The target of the stack that was brought up last, if any."""
    found: Target | None = state.read(_DOCUMENT).get("target")
    return found


def declared_name(state: StateFolder) -> str | None:
    """The name of the stack that was brought up last, if any."""
    found = state.read(_DOCUMENT)
    name: str | None = found.get("name") or found.get("target")
    return name


def declared_active(state: StateFolder) -> Pair | None:
    """The pair that a docker or external stack gave its backend when it was brought up last; None
    where there is no such stack, or it was brought up before this was recorded."""
    found: Pair | None = state.read(_DOCUMENT).get("active")
    return found


def declared_urls(state: StateFolder) -> Mapping[str, str | None]:
    """The owners' addresses by database; empty for embedded servers, which are found by their own
    record."""
    found = state.read(_DOCUMENT)
    return {name: found[name] for name in _DATABASES if name in found}
