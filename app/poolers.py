"""What a pooler between us and a server leaves of a session, told by what it does."""

from collections.abc import Callable

import psycopg

GIVES_AWAY = "gives transactions to one or another process of the server, as a transaction pooler"


def keeps_session(session: psycopg.Connection, reopen: Callable[[], psycopg.Connection]) -> bool:
    """Whether all transactions of a session meet the same process of the server, to which its
    settings, locks and temporary tables belong.

    A process number that is not that of the greeting was made up by a pooler. Its mode shows while
    another session is in a transaction, which has got our process, or drives us to another one.

    Args:
        session: in autocommit, with nothing under way.
        reopen: connects to the same address once more; not called where there is no pooler.
    """
    ours = _process(session)
    if ours == session.info.backend_pid:
        return True
    with reopen() as other, other.transaction():
        return ours != _process(other) and ours == _process(session)


def _process(session: psycopg.Connection) -> int:
    row = session.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])
