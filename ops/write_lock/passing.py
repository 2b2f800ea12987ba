"""How one transaction writes to a locked database, while everybody else stays locked out.

It names itself in the lock's own row, which only the lock's owner can write, and only it ever sees
that: the name is taken away again before it commits. Its sessions are called `CARRYING`, so that
whoever releases the lock ends them first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
from psycopg import errors as pg
from psycopg.pq import TransactionStatus

from ops.errors import RefusedError
from ops.write_lock.lock import lock_writes

# One statement, so that no other lock can come between the question and the name.
_LET_THROUGH = """
UPDATE sigmasight_cutover.lock SET passing = pg_current_xact_id() WHERE locked_at = %s
"""
_CLOSE = "UPDATE sigmasight_cutover.lock SET passing = NULL"
_OF_EARLIER_VERSION = """
SELECT count(*) > 0 FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = 'sigmasight_cutover' AND p.proname = 'refuse_write' AND NOT p.prosecdef
"""


@contextmanager
def let_through(session: psycopg.Connection, epoch: datetime | None) -> Iterator[None]:
    """Let the caller's transaction write to the locked database until the block ends. Keys and
    checks hold as ever; a second transaction that is let through waits for the first.

    Args:
        session: one of `writing_session(…, CARRYING)`; its role must own the lock.
        epoch: of the lock that the caller relies on; see `lock_epoch`; None where there was none.

    Raises:
        RefusedError: that lock is gone, or another has been made since.
    """
    if session.execute(_OF_EARLIER_VERSION).fetchone() == (True,):
        lock_writes(session)
    try:
        found = session.execute(_LET_THROUGH, [epoch]).rowcount
    except pg.UndefinedTable:
        found = 0
    if not found:
        raise RefusedError(
            "not written: legacy is not under the lock that this began with, since another run "
            "has released it; run the command again"
        )
    try:
        yield
    finally:
        # A failed transaction takes its name away by itself.
        if session.info.transaction_status == TransactionStatus.INTRANS:
            session.execute(_CLOSE)
