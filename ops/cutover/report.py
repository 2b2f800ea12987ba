"""What a swap or a rollback did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ops.active_pair import Pair


@dataclass(frozen=True)
class CutoverReport:
    """What a swap or rollback did.

    Attributes:
        active: the pair that is served now.
        changed: False where it was active already.
        held_seconds: how long requests waited, or found nobody.
        seconds: step → seconds.
        lost: rows that only the other pair has.
        export: where those were written to.
        recovered: what was done first about a run that was killed.
        ended_at: when the pair became active.
    """

    active: Pair
    changed: bool
    address: str
    held_seconds: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)
    lost: int = 0
    export: Path | None = None
    recovered: str | None = None
    ended_at: datetime | None = None
