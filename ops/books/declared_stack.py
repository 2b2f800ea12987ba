"""What the phases know of a stack that was brought up: its target, and where its databases are."""

from collections.abc import Mapping
from typing import Literal

from app.gate.serving_pair import Pair
from ops.state_folder import StateFolder

Target = Literal["embedded", "docker", "external", "railway"]
_DOCUMENT = "stack"
_DATABASES = ("core", "ai", "legacy")


def record_declared(
    state: StateFolder,
    target: Target,
    urls: Mapping[str, str | None],
    *,
    name: str | None = None,
    active: Pair | None = None,
    backend: str | None = None,
    login: str | None = None,
    replicas: int | None = None,
) -> None:
    """Remember where the databases of a declared stack are, for the phases that follow.

    Args:
        urls: the owners' addresses of core, ai and legacy.
        name: the stack's, by default its target's.
        active: the pair that it reports; the state folder says that of embedded ones.
        backend: where users reach its backend, if that is a container of its own.
        login: where the engine keeps its state, if not in the state folder.
        replicas: how many processes serve, as each of them is told.
    """
    told = {"target": target, "name": name or target, "active": active, "backend": backend}
    state.write(_DOCUMENT, {**told, "login": login, "replicas": replicas, **urls})


def record_active(state: StateFolder, pair: Pair) -> None:
    """Change the pair that is reported, and nothing else."""
    state.write(_DOCUMENT, {**state.read(_DOCUMENT), "active": pair})


def declared_target(state: StateFolder) -> Target | None:
    """The target of the stack that was brought up last, if any."""
    found: Target | None = state.read(_DOCUMENT).get("target")
    return found


def declared_name(state: StateFolder) -> str | None:
    """The name of the stack that was brought up last, if any."""
    found = state.read(_DOCUMENT)
    name: str | None = found.get("name") or found.get("target")
    return name


def declared_login(state: StateFolder, name: str) -> str | None:
    """Where the engine keeps the state of the stack that was brought up last, if that is the one of
    this name and its state is not in the state folder."""
    found = state.read(_DOCUMENT)
    login: str | None = found.get("login")
    return login if found.get("name") == name else None


def declared_active(state: StateFolder) -> Pair | None:
    """The pair that a stack whose servers are not embedded reported when it was brought up last;
    None where there is no such stack, or it was brought up before this was recorded."""
    found: Pair | None = state.read(_DOCUMENT).get("active")
    return found


def declared_backend(state: StateFolder) -> str | None:
    """Where users reach the backend of a docker stack, if that is a container of its own."""
    found: str | None = state.read(_DOCUMENT).get("backend")
    return found


def declared_replicas(state: StateFolder) -> int | None:
    """How many processes the backend of a docker or external stack has."""
    found: int | None = state.read(_DOCUMENT).get("replicas")
    return found


def declared_urls(state: StateFolder) -> Mapping[str, str | None]:
    """The owners' addresses by database; empty for embedded servers, which are found by their own
    record."""
    found = state.read(_DOCUMENT)
    return {name: found[name] for name in _DATABASES if name in found}
