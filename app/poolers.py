"""What a pooler between us and a server leaves of a session, told by what it does."""

from collections.abc import Callable

import psycopg

GIVES_AWAY = "gives transactions to one or another process of the server, as a transaction pooler"


def keeps_session(session: psycopg.Connection, reopen: Callable[[], psycopg.Connection]) -> bool:
    """Whether all transactions of a session meet the same process of the server, to which its
    settings, locks and temporary tables belong.

    A pooler's mode shows while another session is in a transaction, which has got our process, or
    drives us to another one.

    Args:
        session: in autocommit, with nothing under way.
        reopen: connects to the same address once more; not called where there is no pooler.
    """
    if is_direct(session):
        return True
    ours = _process(session)
    with reopen() as other, other.transaction():
        return ours != _process(other) and ours == _process(session)


def is_direct(session: psycopg.Connection) -> bool:
    """Whether no pooler is in between."""
    return is_own_process(_process(session), session.info)


def is_own_process(process: int, info: psycopg.ConnectionInfo) -> bool:
    """Whether the process of the server that has answered is the one that greeted a connection: a
    pooler makes up the number of its greeting."""
    return process == info.backend_pid


def _process(session: psycopg.Connection) -> int:
    row = session.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])
