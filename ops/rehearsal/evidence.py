"""What a rehearsed move did, as its own databases and records tell before they are removed."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import URL

from ops.books.cutovers import Cutover, known_cutovers
from ops.books.rebuilds import last_rebuild
from ops.books.verifications import Verification, last_verification
from ops.connection import rows_as, session_at
from ops.state_folder import StateFolder


@dataclass(frozen=True)
class CopiedRows:
    """What became of the rows of one copied table."""

    table_name: str
    accepted: int
    rejected: int


@dataclass(frozen=True)
class Evidence:
    """What is kept of a throw-away move.

    Attributes:
        phases: seconds by phase of the rebuild.
        rows: by table of the plan's figures.
        cutovers: in the order in which they were done.
    """

    phases: Mapping[str, float]
    rows: Mapping[str, int]
    cutovers: tuple[Cutover, ...]
    copied: tuple[CopiedRows, ...]
    verification: Verification | None


def gather(place: StateFolder, core: URL) -> Evidence:
    """Read it from the throw-away Core and its state folder."""
    rebuild = last_rebuild(place)
    with session_at(core, "rehearsal", read_only=True) as session:
        copied = rows_as(
            CopiedRows,
            session,
            "SELECT table_name, accepted_rows AS accepted, (SELECT count(*) FROM ops.copy_rejects r"
            " WHERE r.table_name = f.table_name) AS rejected"
            " FROM ops.copy_fingerprints f ORDER BY table_name",
        )
        return Evidence(
            phases=rebuild.seconds if rebuild else {},
            rows=rebuild.rows if rebuild else {},
            cutovers=tuple(reversed(known_cutovers(session))),
            copied=tuple(copied),
            verification=last_verification(place, core),
        )
