"""What the last rebuild of a state folder took, phase by phase, and what it left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import TypeAdapter

from ops.state_folder import StateFolder

_DOCUMENT = "rebuild"


@dataclass(frozen=True)
class LastRebuild:
    """A finished rebuild.

    Attributes:
        seconds: by phase.
        rows: by table of the plan's figures.
    """

    at: datetime
    first: date
    last: date
    seconds: Mapping[str, float]
    rows: Mapping[str, int]


_LAST = TypeAdapter(LastRebuild)


def record_rebuild(state: StateFolder, finished: LastRebuild) -> None:
    """Remember a rebuild."""
    state.write(_DOCUMENT, _LAST.dump_python(finished, mode="json"))


def last_rebuild(state: StateFolder) -> LastRebuild | None:
    """The last rebuild that finished here, if any."""
    known = state.read(_DOCUMENT)
    return _LAST.validate_python(known) if known else None
