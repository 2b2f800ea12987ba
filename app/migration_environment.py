"""What both `env.py` files do: find the database, lock it, recognise it, run the chain.

A caller in the same process gives the address as `config.attributes["url"]` (a SQLAlchemy `URL`,
so that no password passes through ini interpolation) and `config.attributes["shared"]`; the
command line leaves both out, and the environment's settings decide.
"""

import atexit
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from logging.config import fileConfig
from typing import Any

import psycopg
from alembic import context
from pydantic import ValidationError
from sqlalchemy import Connection, Function, MetaData, create_engine, func, pool, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from app.chain_folders import ChainName, known_revisions
from app.config import Settings, fault_of
from app.database_url import same_database
from app.migration_recognition import (
    AI_TABLES,
    SHARED_AI_VERSION_TABLE,
    VERSION_TABLE,
    Landscape,
    MigrationRefusedError,
    Verdict,
    is_shared,
    recognise,
)
from app.models import AiBase, Base
from app.poolers import GIVES_AWAY, keeps_session
from app.sql_files import statement

_METADATA: dict[ChainName, MetaData] = {"core": Base.metadata, "ai": AiBase.metadata}

# Neither is built any more, but a legacy or shared database may hold them.
_UNBUILT_AI_TABLES = frozenset({"ai_insights", "ai_insight_templates"})

# A migration that cannot get its lock soon must not queue the backend's queries behind itself.
# A revision that needs longer raises its own statement_timeout with SET LOCAL.
_TIMEOUTS = {"lock_timeout": "5s", "statement_timeout": "60s"}
_CONNECT_TIMEOUT_SECONDS = 10
_LOCK_KEY = func.hashtext("sigmasight migrations")
_LOCK_PATIENCE_SECONDS = 300.0
_LOCK_POLL_SECONDS = 0.2


class MigrationLockedError(MigrationRefusedError):
    """Another migration works on the same database and does not end."""


class MigrationFailedError(MigrationRefusedError):
    """The server refused something; `__cause__` is SQLAlchemy's error. One line, no secret."""


@dataclass(frozen=True)
class _Target:
    url: URL
    shared: bool
    old_pair: bool = False


def run_chain(chain: ChainName) -> None:
    """Run the command that Alembic was called with, for one chain."""
    _configure_command()
    target = _target(chain)
    if context.is_offline_mode():
        _run_offline(chain, target)
        return
    try:
        with _connected(chain, target) as connection:
            if target.old_pair:
                # Also while it is empty, until its dump is restored.
                _leave_alone(chain, target.url)
                return
            with _migration_lock(connection):
                _run_online(chain, target, connection)
    except DBAPIError as error:
        raise MigrationFailedError(f"{_place(target.url)}: {_in_one_line(error)}") from error


def version_table(chain: ChainName, *, shared: bool) -> str:
    """Where a chain keeps its revision: of its own only for an AI chain that shares a database."""
    return SHARED_AI_VERSION_TABLE if chain == "ai" and shared else VERSION_TABLE


def _configure_command() -> None:
    """Log to the terminal when called from it; a calling program has its own logging."""
    config = context.config
    if config.cmd_opts is not None and config.config_file_name is not None:
        fileConfig(config.config_file_name, disable_existing_loggers=False)
        # To look for garbage once more at the end takes longer than a command that finds its head.
        atexit.register(gc.freeze)


def _target(chain: ChainName) -> _Target:
    attributes = context.config.attributes
    if "url" in attributes:
        return _Target(attributes["url"], bool(attributes.get("shared", False)))
    try:
        settings = Settings()  # type: ignore[call-arg]  # the environment gives DATABASE_URL
    except ValidationError as error:
        raise MigrationRefusedError(fault_of(error)) from None
    # A rolled-back backend has no AI_DATABASE_URL; a leftover admin address must not stand in.
    has_own_database = chain == "ai" and settings.AI_DATABASE_URL is not None
    url = settings.ai_admin_url if has_own_database else settings.core_admin_url
    return _Target(url, _one_database(settings), settings.ACTIVE_PAIR == "old")


def _one_database(settings: Settings) -> bool:
    return (
        settings.AI_DATABASE_URL is None
        or same_database(settings.core_database_url, settings.ai_database_url)
        or same_database(settings.core_admin_url, settings.ai_admin_url)
    )


@contextmanager
def _connected(chain: ChainName, target: _Target) -> Iterator[Connection]:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=partial(_session, chain, target),
        poolclass=pool.NullPool,
    )
    with engine.connect() as connection:
        yield connection


def _session(chain: ChainName, target: _Target) -> psycopg.Connection:
    """With its timeouts, by statements that are committed: a pooler may leave out options, and of
    an open transaction Alembic would think that it is the caller's."""
    arguments = target.url.get_dialect()().create_connect_args(target.url)[1]
    own = {"connect_timeout": _CONNECT_TIMEOUT_SECONDS, "application_name": "sigmasight migrations"}
    told = {**own, **arguments, "client_encoding": "UTF8"}  # tables may have any name
    reopen = partial(psycopg.connect, **told, autocommit=True)
    session = reopen()
    if not target.old_pair:
        _refuse_pooler(chain, target.url, session, reopen)
        for setting, value in _TIMEOUTS.items():
            session.execute("SELECT set_config(%s, %s, false)", [setting, value])
    session.autocommit = False
    return session


def _refuse_pooler(
    chain: ChainName,
    url: URL,
    session: psycopg.Connection,
    reopen: Callable[[], psycopg.Connection],
) -> None:
    if not keeps_session(session, reopen):
        session.close()
        setting = "DATABASE_ADMIN_URL" if chain == "core" else "AI_DATABASE_ADMIN_URL"
        raise MigrationRefusedError(
            f"{_place(url)} {GIVES_AWAY} does, so that the migration lock does not hold; set "
            f"{setting} to the server's direct address"
        )


@contextmanager
def _migration_lock(connection: Connection) -> Iterator[None]:
    """Hold the database's migration lock, so that two instances may start at once.

    Polled rather than waited for: a waiting statement would run into the timeouts and hold a
    snapshot, on which a concurrent index build of the other instance would wait in turn.
    """
    deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
    while not _holds(connection, func.pg_try_advisory_lock(_LOCK_KEY)):
        if time.monotonic() > deadline:
            raise MigrationLockedError(
                "another migration has held this database for five minutes; look at its process, "
                "then start again"
            )
        time.sleep(_LOCK_POLL_SECONDS)
    yield
    # After an error the session is closed, which lets the lock go as well.
    _holds(connection, func.pg_advisory_unlock(_LOCK_KEY))


def _holds(connection: Connection, call: Function[bool]) -> bool:
    answer = connection.scalar(select(call))
    connection.commit()
    return bool(answer)


def _run_online(chain: ChainName, target: _Target, connection: Connection) -> None:
    seen = _landscape(connection)
    connection.commit()
    verdict = recognise(chain, seen, known_revisions=known_revisions(), shared=target.shared)
    if verdict is Verdict.LEGACY:
        _leave_alone(chain, target.url)
        return
    shared = is_shared(chain, seen, shared=target.shared)
    _configure(chain, shared=shared, connection=connection)
    with context.begin_transaction():
        context.run_migrations()


def _run_offline(chain: ChainName, target: _Target) -> None:
    _configure(
        chain,
        shared=target.shared,
        dialect_name="postgresql",
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
    for setting, value in _TIMEOUTS.items():
        context.execute(f"SET {setting} = '{value}'")
    with context.begin_transaction():
        context.run_migrations()


def _configure(chain: ChainName, *, shared: bool, **where: Any) -> None:
    context.configure(
        target_metadata=_METADATA[chain],
        version_table=version_table(chain, shared=shared),
        include_object=partial(_included, chain),
        compare_server_default=True,
        transaction_per_migration=True,
        **where,
    )


def _included(chain: ChainName, _object: object, name: str | None, kind: str, *_: object) -> bool:
    """Whether Alembic compares a thing: of the tables, each chain its own."""
    if kind != "table":
        return True
    if chain == "ai":
        return name in AI_TABLES
    return name not in AI_TABLES | _UNBUILT_AI_TABLES | {SHARED_AI_VERSION_TABLE}


def _leave_alone(chain: ChainName, url: URL) -> None:
    """Do nothing to a legacy database: a rolled-back backend starts with the same command."""
    if not _upgrading_to_head():
        raise MigrationRefusedError(
            f"{_place(url)} is a legacy database; only `upgrade head` may be run on it, "
            "and that changes nothing"
        )
    context.config.print_stdout(
        f"{_place(url)} is a legacy database: the {chain} chain leaves it as it is"
    )


def _upgrading_to_head() -> bool:
    # Commands such as check and current have no destination.
    try:
        return context.get_revision_argument() == context.get_head_revision()
    except KeyError:
        return False


def _landscape(connection: Connection) -> Landscape:
    tables = frozenset(connection.scalars(statement("migration_tables")))
    revisions: frozenset[str] = frozenset()
    if VERSION_TABLE in tables:
        revisions = frozenset(connection.scalars(text("SELECT version_num FROM alembic_version")))
    marker = None
    if connection.scalar(statement("migration_marker_readable")):
        marker = connection.scalar(text("SELECT role FROM ops.database_marker"))
    return Landscape(tables, revisions, marker)


def _place(url: URL) -> str:
    return f"{url.host or 'local socket'}:{url.port or 5432}/{url.database}"


def _in_one_line(error: DBAPIError) -> str:
    diagnostics = getattr(error.orig, "diag", None)
    primary = getattr(diagnostics, "message_primary", None) or str(error.orig).strip()
    hint = getattr(diagnostics, "message_hint", None)
    line = (primary or type(error.orig).__name__).splitlines()[0]
    return f"{line} ({hint.splitlines()[0]})" if hint else line
