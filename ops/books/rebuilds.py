"""What the last rebuild of a state folder took, phase by phase, and what it left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

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


def record_rebuild(
    state: StateFolder,
    first: date,
    last: date,
    seconds: Mapping[str, float],
    rows: Mapping[str, int],
) -> None:
    """Remember a rebuild that has just finished."""
    state.write(
        _DOCUMENT,
        {
            "at": datetime.now(UTC).isoformat(),
            "first": first.isoformat(),
            "last": last.isoformat(),
            "seconds": dict(seconds),
            "rows": dict(rows),
        },
    )


def last_rebuild(state: StateFolder) -> LastRebuild | None:
    """The last rebuild that finished here, if any."""
    known = state.read(_DOCUMENT)
    if not known:
        return None
    return LastRebuild(
        datetime.fromisoformat(known["at"]),
        date.fromisoformat(known["first"]),
        date.fromisoformat(known["last"]),
        known["seconds"],
        known["rows"],
    )
