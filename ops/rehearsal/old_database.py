"""A throw-away copy of a real old database. The real one is read in one snapshot, and no more."""

import subprocess
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from ops.backup.programs import RESTORE_ALONE, programs_for
from ops.connection import first_value, session_at
from ops.embedded.binaries import MAJOR_VERSION
from ops.endpoints import given_legacy, present_legacy, resolve_endpoints
from ops.errors import ConfigurationError, SigmaSightError, WrongDatabaseError
from ops.evidence.cutovers import swap_in_force
from ops.legacy_access.account import recorded_access
from ops.settings import OperatorSettings

_DUMP = ("--format=custom", "--compress=0", "--no-sync", "--lock-wait-timeout=10000")


def real_legacy(settings: OperatorSettings) -> URL | None:
    """The old database that users really use; None where it is the demo's, which is made anew."""
    if settings.embedded and given_legacy(settings) is None:
        return None
    return present_legacy(settings)


def size_of(url: URL) -> int:
    """Bytes of a database."""
    with session_at(url, "rehearsal", read_only=True) as session:
        return int(first_value(session, "SELECT pg_database_size(current_database())"))


def accounted(settings: OperatorSettings, legacy: URL, purpose: str) -> AbstractContextManager[Any]:
    """Let the evidence of who reads the old database since a swap know that it was us."""
    try:
        core = resolve_endpoints(settings).core
        if swap_in_force(core) is not None:
            return recorded_access(core, legacy, purpose)
    except (ConfigurationError, WrongDatabaseError):
        pass  # nothing was moved here yet
    return nullcontext()


def copy_whole(source: URL, target: URL, place: Path) -> None:
    """Stream all of `source` into the empty database `target`.

    Args:
        place: where the programs stand, by which they are known as the rehearsal's.

    Raises:
        VerificationError: it cannot be dumped or restored; the line is the program's own.
        DatabaseUnavailableError: a server was lost.
    """
    with session_at(source, "rehearsal") as session:
        dumping = programs_for(session.info.server_version // 10000)
    restoring = programs_for(MAJOR_VERSION)
    with (
        dumping.start("pg_dump", list(_DUMP), source, stdout=subprocess.PIPE, cwd=place) as dump,
        restoring.start(
            "pg_restore", list(RESTORE_ALONE), target, source=dump, cwd=place
        ) as restore,
    ):
        try:
            restore.finish()
        except SigmaSightError:
            if dump.process.wait() > 0:  # it ended first, for a reason of its own
                dump.finish()
            raise
        dump.finish()
