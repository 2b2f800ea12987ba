"""Whether the servers allow as many connections as a cutover may need: nobody is to find out while
requests wait."""

from collections.abc import Iterator, Sequence

import psycopg
from pydantic import SecretStr
from sqlalchemy.engine import URL

from app.database_url import parse_database_url, same_database
from app.pool_sizes import KEPT, Pool, sharing, sizes
from app.poolers import is_direct, is_own_process
from app.sql_files import statement
from ops.books.gate import replicas, served_pair
from ops.books.session import open_books
from ops.connection import CONNECT_TIMEOUT_SECONDS, connect, conninfo, explained
from ops.cutover.installation import Installation
from ops.evidence.finding import Finding
from ops.settings import OperatorSettings

_NAME = "connections fit"


def connections_fit(installation: Installation) -> Finding:
    """Both pairs' pools in all backends that serve, our own sessions and the server's reserve."""
    serving = _serving(installation.core)
    for pools, urls in sharing(_direct_pools(installation)):
        rooms = [_room(url) for url in dict.fromkeys(urls)]
        room = min((found for found in rooms if found is not None), default=None)
        if room is None:
            continue
        wanted, advice = _wanted(installation.settings, pools, room, serving)
        if wanted > room:
            return Finding(
                _NAME,
                False,
                f"{serving} backend(s) and a move may need {wanted} connections to "
                f"{urls[0].host}:{urls[0].port or 5432}, which allows {room}; {advice}",
            )
    return Finding(_NAME, True, f"each server has room for {serving} backend(s)")


def _wanted(
    settings: OperatorSettings, pools: Sequence[Pool], room: int, serving: int
) -> tuple[int, str]:
    """How many connections there may be to a server, and what to do where that is too many."""
    wanted, shared = (
        serving * sum(sizes(pools, room, replicas).values()) + KEPT
        for replicas in (settings.replicas, serving)
    )
    advice = f"have it allow {wanted - room} more"
    if shared <= room:
        where = "here and for each (a stack's backendReplicas)"
        advice = f"set BACKEND_REPLICAS={serving} {where}, or {advice}"
    return wanted, advice


def _serving(core: URL) -> int:
    with open_books(core) as session:
        pair = served_pair(session)
        return max(1, replicas(session, pair).seen if pair else 0)


def _direct_pools(installation: Installation) -> Iterator[tuple[Pool, URL]]:
    """The pools whose connections are the server's. Behind a pooler its own limits hold."""
    told = installation.settings
    core, ai, old = told.DATABASE_URL, told.AI_DATABASE_URL, told.LEGACY_DATABASE_URL
    found: dict[Pool, tuple[SecretStr | None, URL]] = {
        ("new", "core"): (core, installation.core),
        ("new", "ai"): (ai, installation.ai),
        ("old", "core"): (old, installation.legacy),
        ("old", "ai"): (old, installation.legacy),
    }
    return ((pool, url) for pool, (given, url) in found.items() if not _is_pooled(given, url))


def _is_pooled(given: SecretStr | None, ours: URL) -> bool:
    """Whether the backend's address is a pooler's; one that is not reached from here is not."""
    url = ours if given is None else parse_database_url(given.get_secret_value())
    if same_database(url, ours):
        return False  # `_room` sees it
    try:
        with psycopg.connect(
            conninfo(url),
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name=f"sigmasight {_NAME}",
        ) as session:
            return not is_direct(session)
    except psycopg.Error:
        return False


def _room(url: URL) -> int | None:
    """How many connections a server allows; None where a pooler answers."""
    with explained(url), connect(url, application_name=_NAME, read_only=True) as session:
        row = session.execute(str(statement("connection_room"))).fetchone()
        assert row is not None  # the role and the database are there
        return int(row[1]) if is_own_process(row[0], session.info) else None
