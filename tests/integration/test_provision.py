"""Servers that are not ours to rule: roles and databases are made by a role that is no superuser,
on each PostgreSQL that is here, and the chains run as the owner that it made."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.errors import ConfigurationError
from ops.migrate import heads, upgrade
from ops.provision import APP, OWNER, DatabaseSpec, Passwords, _ensure_role, provision
from tests.conftest import running_server
from tests.debian_server import debian_server, packaged

PASSWORDS = Passwords("of the owner", "of the app", "of readers")
CORE = DatabaseSpec("made_core", "core", ())
AI = DatabaseSpec("made_ai", "ai", ("vector",))

Running = Callable[[], AbstractContextManager[URL]]


def embedded(version: int) -> Running:
    @contextmanager
    def running() -> Iterator[URL]:
        with running_server(version) as server:
            yield server.url()

    return running


@contextmanager
def debian_on_ipv6() -> Iterator[URL]:
    """Debian's, which has no pgvector, and listens on an IPv6 address alone."""
    with debian_server({"listen_addresses": "'::1'"}) as url:
        yield url.set(host="::1")


@pytest.fixture(
    params=[
        pytest.param(embedded(18), id="18"),
        pytest.param(embedded(16), id="16", marks=pytest.mark.soak),  # test_restore_legacy's
        pytest.param(debian_on_ipv6, id="Debian's on IPv6", marks=packaged),
    ]
)
def superuser(request: pytest.FixtureRequest) -> Iterator[URL]:
    """The address of a server's superuser, who has let in a role that may make others."""
    running: Running = request.param
    with running() as url:
        with connect(url, application_name="tests", autocommit=True) as session:
            session.execute("CREATE ROLE creator LOGIN CREATEDB CREATEROLE PASSWORD 'any'")
        yield url


def test_a_role_that_may_make_roles_and_databases_is_enough(superuser: URL) -> None:
    def creator(database: str) -> URL:
        return superuser.set(username="creator", password="any", database=database)

    owner = superuser.set(username=OWNER, password=PASSWORDS.owner)
    app = superuser.set(username=APP, password=PASSWORDS.app, database=CORE.database)
    for _ in range(2):
        provision(creator, CORE, PASSWORDS)
    assert upgrade("core", owner.set(database=CORE.database)).after in heads("core")
    with connect(app, application_name="tests") as session:
        assert session.execute("SELECT count(*) FROM users").fetchone() == (0,)

    # The extension is the superuser's; where the server has none at all, nobody can make it.
    said = "install or allow vector on the server, then have its superuser run there: (.*)$"
    with pytest.raises(ConfigurationError, match=said) as refusal:
        provision(creator, AI, PASSWORDS)
    with pytest.raises(ConfigurationError, match=said):
        upgrade("ai", owner.set(database=AI.database))
    with connect(superuser.set(database=AI.database), application_name="tests") as session:
        offered = "SELECT FROM pg_available_extensions WHERE name = 'vector'"
        if session.execute(offered).fetchone() is not None:
            session.execute(str(refusal.value).rpartition(": ")[2])
            session.commit()
            provision(creator, AI, PASSWORDS)
            assert upgrade("ai", owner.set(database=AI.database)).after in heads("ai")


def test_a_platform_that_hashes_passwords_itself_is_given_them(
    scratch_database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Neon's words; the server beneath is ours."""
    execute = psycopg.Connection.execute

    def refuse_verifiers(session: psycopg.Connection, query: Any, *more: Any) -> Any:
        if isinstance(query, sql.Composed) and "SCRAM-SHA-256" in query.as_string(session):
            raise pg.InternalError("Neon only supports being given plaintext passwords")
        return execute(session, query, *more)

    monkeypatch.setattr(psycopg.Connection, "execute", refuse_verifiers)
    with connect(scratch_database, application_name="tests", autocommit=True) as session:
        _ensure_role(session, "of_a_platform", "any")
        own = scratch_database.set(username="of_a_platform", password="any")
        connect(own, application_name="tests").close()
        session.execute("DROP ROLE of_a_platform")
