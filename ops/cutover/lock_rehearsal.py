"""The lock of a swap, tried in a transaction that is undone, before anybody waits: how long it
takes, and what it cannot reach."""

import time
from dataclasses import dataclass

import psycopg
from sqlalchemy.engine import URL

from ops.connection import end_in_time, explained, first_line, writing_session
from ops.cutover.installation import Installation
from ops.errors import BusyError, SigmaSightError
from ops.evidence.finding import Finding
from ops.write_lock.lock import LockReport, beyond_lock, lock_writes
from ops.write_lock.proof import prove_locked
from ops.write_lock.table_locks import lock_tables
from ops.write_lock.tables import Choose, moved_tables, other_tables, relations

WHOLLY_LOCKED = "all can be locked"
_LOCK_FITS = "the lock fits"
# Users work meanwhile, and those who write wait behind each attempt.
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class LockRehearsal:
    """What came of it.

    Attributes:
        findings: whether legacy can be locked in time, and wholly.
        seconds: how long it took to lock and to prove what the move reads; 0 where that cannot be
            told, since nothing is refused for what is only guessed.
    """

    findings: tuple[Finding, ...]
    seconds: float = 0.0


def rehearse_lock(installation: Installation) -> LockRehearsal:
    """Lock legacy as a swap does while requests wait, prove it, and undo it; then the rest, as it
    does afterwards. Who writes to these tables waits for that moment, each time at most as long as
    a hold may take.

    Raises:
        DatabaseUnavailableError, ConfigurationError: legacy does not answer.
    """
    wholly = _wholly_locked(installation.legacy)
    fits, seconds = _tried(installation, moved_tables)
    rest, _ = _tried(installation, other_tables, timed=False) if fits.met else (fits, 0.0)
    return LockRehearsal((fits if rest.met else rest, wholly), seconds)


def _tried(
    installation: Installation, choose: Choose, *, timed: bool = True
) -> tuple[Finding, float]:
    most, begun = installation.max_hold_seconds, time.monotonic()
    try:
        report, seconds = _timed(installation.legacy, most, choose)
    except BusyError as error:
        return Finding(_LOCK_FITS, True, f"not tried while users work: {error}"), 0.0
    except (SigmaSightError, psycopg.Error) as error:
        if time.monotonic() - begun < most:
            why = first_line(error) if isinstance(error, psycopg.Error) else str(error)
            return Finding(_LOCK_FITS, False, why), 0.0
    else:
        return _fits(report, seconds), seconds
    why = f"locking and proving legacy alone takes longer than {most:.1f} s"
    return Finding(_LOCK_FITS, not timed, f"{why}; let users wait longer by --max-hold"), 0.0


def _fits(report: LockReport, seconds: float) -> Finding:
    said = f"{report.tables} tables of legacy are locked and proved in {seconds:.2f} s"
    if report.kept:
        said += f"; {len(report.kept)} privileges cannot be revoked, so that triggers alone refuse"
    return Finding(_LOCK_FITS, True, said, {"seconds": seconds, "kept": list(report.kept)})


def _timed(legacy: URL, most_seconds: float, choose: Choose) -> tuple[LockReport, float]:
    """The wait for users' own locks, which a hold has not, is no part of the time."""
    with (
        explained(legacy),
        writing_session(legacy, "lock rehearsal") as session,
        session.transaction(force_rollback=True),
    ):
        end_in_time(session, most_seconds)
        # The proof is one long statement, which older servers end by this alone.
        session.execute(
            "SELECT set_config('statement_timeout', %s, true)", [f"{most_seconds * 1000:.0f}ms"]
        )
        chosen = choose(relations(session))
        lock_tables(session, chosen, "SHARE ROW EXCLUSIVE", _PATIENCE_SECONDS)
        begun = time.monotonic()
        report = lock_writes(session, choose=choose, hold=0)
        prove_locked(session, chosen, truncate=False)
        return report, time.monotonic() - begun


def _wholly_locked(legacy: URL) -> Finding:
    """What can be written to after the swap is lost with legacy, so the operator says that it may
    be."""
    beyond = beyond_lock(legacy)
    if not beyond:
        return Finding(WHOLLY_LOCKED, True, "nothing can be written to beyond the lock")
    return Finding(
        WHOLLY_LOCKED,
        False,
        "after the swap the old database could still be written to beyond its lock: "
        f"{', '.join(beyond)}; give the address of a role that owns them, or accept it by "
        "--accept-unlocked",
        {"beyond": beyond},
    )
