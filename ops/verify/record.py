"""When the databases were last verified from here, and how that went."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import URL

from ops.connection import place
from ops.state_folder import StateFolder
from ops.verify.report import VerifyReport

_DOCUMENT = "verification"


@dataclass(frozen=True)
class Verification:
    """A finished verification: how many checks passed, failed and were skipped."""

    at: datetime
    passed: int
    failed: int
    skipped: int

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return self.failed == 0


def record_verification(state: StateFolder, core: URL, report: VerifyReport) -> None:
    """Remember a verification of a Core database. In the state folder, not in a database: looking
    at a system must not change it."""
    counts = Counter(result.outcome for result in report.results)
    state.write(
        _DOCUMENT,
        {
            "core": place(core),
            "at": datetime.now(UTC).isoformat(),
            **{name: counts[name] for name in ("pass", "fail", "skipped")},
        },
    )


def last_verification(state: StateFolder, core: URL) -> Verification | None:
    """The last verification of this Core database that was done from here, if any."""
    known: dict[str, Any] = state.read(_DOCUMENT)
    if known.get("core") != place(core):
        return None
    counts = (int(known[name]) for name in ("pass", "fail", "skipped"))
    return Verification(datetime.fromisoformat(known["at"]), *counts)
