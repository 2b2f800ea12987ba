"""What the phases know of a stack that was brought up: its target, and where its databases are."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from app.gate.serving_pair import Pair
from ops.state_folder import StateFolder

Target = Literal["embedded", "docker", "external", "railway"]
_DOCUMENT = "stack"
_DATABASES = ("core", "ai", "legacy")


@dataclass(frozen=True)
class RecordedStack:
    """The stack that was brought up last; without a target there is none.

    Attributes:
        urls: the owners' addresses of core, ai and legacy; empty for embedded servers, which are
            found by their own record.
        name: by default its target's.
        active: the pair that it reports; the state folder says that of embedded ones, and earlier
            versions did not record it.
        backend: where users reach its backend, if that is a container of its own.
        login: where the engine keeps its state, if not in the state folder.
        replicas: how many processes serve, as each of them is told.
    """

    target: Target | None
    urls: Mapping[str, str | None]
    name: str | None = None
    active: Pair | None = None
    backend: str | None = None
    login: str | None = None
    replicas: int | None = None


def record_declared(state: StateFolder, stack: RecordedStack) -> None:
    """Remember a stack for the phases that follow."""
    document = asdict(stack)
    state.write(_DOCUMENT, document.pop("urls") | document)


def record_active(state: StateFolder, pair: Pair) -> None:
    """Change the pair that is reported, and nothing else."""
    state.write(_DOCUMENT, {**state.read(_DOCUMENT), "active": pair})


def declared_target(state: StateFolder) -> Target | None:
    """The target of the stack that was brought up last, if any."""
    found: Target | None = state.read(_DOCUMENT).get("target")
    return found


def declared(state: StateFolder) -> RecordedStack:
    """The stack that was brought up last."""
    found = state.read(_DOCUMENT)
    known: dict[str, Any] = {each.name: found.get(each.name) for each in fields(RecordedStack)}
    known["urls"] = {name: found[name] for name in _DATABASES if name in found}
    return RecordedStack(**known | {"name": known["name"] or known["target"]})
