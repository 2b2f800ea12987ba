"""When the databases were last verified from here, how that went, and what of the backend's log was
read then."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import URL
from typing_extensions import TypedDict

from ops.connection import shown_address
from ops.state_folder import StateFolder

_DOCUMENT = "verification"


class LogRead(TypedDict):
    """How much of a log was read, and a digest of its end then."""

    bytes: int
    digest: str


@dataclass(frozen=True)
class Verification:
    """A finished verification: how many checks passed, failed and were skipped.

    Attributes:
        asked_backend: whether a backend was asked, or its checks were all skipped.
    """

    at: datetime
    passed: int
    failed: int
    skipped: int
    asked_backend: bool


def record_verification(
    state: StateFolder,
    core: URL,
    outcomes: Iterable[str],
    *,
    asked_backend: bool,
    read: LogRead | None = None,
) -> None:
    """Remember a verification of a Core database. In the state folder, not in a database: looking
    at a system must not change it.

    Args:
        outcomes: of every check: pass, fail or skipped.
        read: how far it has read the backend's log; None where it has not, and what is known of
            it stays.
    """
    counts = Counter(outcomes)
    state.write(
        _DOCUMENT,
        {
            "core": shown_address(core),
            "at": datetime.now(UTC).isoformat(),
            "asked_backend": asked_backend,
            "log_read": read or log_read(state),
            **{name: counts[name] for name in ("pass", "fail", "skipped")},
        },
    )


def log_read(state: StateFolder | None) -> LogRead | None:
    """How far verifications from here have read the backend's log; None where none has."""
    known: LogRead | None = state.read(_DOCUMENT).get("log_read") if state else None
    return known


def last_verification(state: StateFolder, core: URL) -> Verification | None:
    """The last verification of this Core database that was done from here, if any."""
    known: dict[str, Any] = state.read(_DOCUMENT)
    if known.get("core") != shown_address(core):
        return None
    passed, failed, skipped = (int(known[name]) for name in ("pass", "fail", "skipped"))
    at, asked = datetime.fromisoformat(known["at"]), bool(known.get("asked_backend"))
    return Verification(at, passed, failed, skipped, asked)
