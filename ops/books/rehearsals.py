"""What the state folder remembers of a rehearsal: its place, and how the last one ended."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from ops.state_folder import StateFolder

_DOCUMENT = "rehearsal"


@dataclass(frozen=True)
class LastRehearsal:
    """How the last rehearsal ended.

    Attributes:
        failed_in: the phase in which it ended early; None where it did not.
        word: `failed`, `interrupted` or `finished`.
        seconds: what the whole move took.
    """

    at: datetime
    word: str
    failed_in: str | None
    seconds: float
    report: str
    log: str


_LAST = TypeAdapter(LastRehearsal)


def record_place(state: StateFolder, place: Path, *, kept: bool) -> None:
    """Remember that `place` is a rehearsal's to remove, before anything is made there."""
    state.update(_DOCUMENT, place=str(place), kept=kept)


def recorded_place(state: StateFolder) -> Path | None:
    """The place of a rehearsal that has not been removed."""
    place = state.read(_DOCUMENT).get("place")
    return None if place is None else Path(place)


def forget_place(state: StateFolder) -> None:
    """It was removed."""
    state.update(_DOCUMENT, place=None, kept=False)


def record_end(state: StateFolder, last: LastRehearsal) -> None:
    """Remember how a rehearsal ended."""
    state.update(_DOCUMENT, **_LAST.dump_python(last, mode="json"))


def last_rehearsal(state: StateFolder) -> LastRehearsal | None:
    """How the last rehearsal ended, if there was one."""
    known = state.read(_DOCUMENT)
    return _LAST.validate_python(known) if "at" in known else None
