"""Connections for the phases: proved session settings, and errors that say what to do."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import psycopg
from psycopg import errors as pg
from psycopg.abc import Params, QueryNoTemplate
from psycopg.rows import class_row, scalar_row
from sqlalchemy.engine import URL

from app.database_url import place_of
from app.poolers import GIVES_AWAY, keeps_session
from ops.errors import (
    BusyError,
    ConfigurationError,
    DatabaseUnavailableError,
)
from ops.open_connections import Reopen, keep_watch
from ops.refused_connections import refusal

T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 10
START_SECONDS = 30.0
_START_PAUSE_SECONDS = 0.5
_STARTING = r"system is (starting up|in recovery mode|not yet accepting connections)"

# Text forms of values and types depend on the first five; hashes and copies need one form
# everywhere. A role's own short statement_timeout must not end a copy of any length, nor another
# limit a session that holds a lock; nor may its isolation have what is read after a lock be from
# before it. Written as a server shows them, since they are read back.
SESSION_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "TimeZone": "UTC",
        "DateStyle": "ISO, YMD",
        "extra_float_digits": "1",
        "quote_all_identifiers": "off",
        "client_encoding": "UTF8",
        "default_transaction_isolation": "read committed",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
    }
)
# What older servers lack in part. To compile a look at many tables takes longer than the look.
_WHERE_KNOWN: Mapping[str, str] = MappingProxyType(
    {"lock_timeout": "0", "idle_session_timeout": "0", "transaction_timeout": "0", "jit": "off"}
)
_READ_BACK = """
SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name
UNION ALL
SELECT name, set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS s(name, value)
WHERE current_setting(name, true) IS NOT NULL
"""
_SET = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS s(name, value)"

# Addresses and roles that this process has found to keep a session: it need not be tried again.
_keeping: set[tuple[str, str | None]] = set()
# Which setting would give the direct address of what is at an address.
_settings: dict[str, str] = {}

# Of an address of legacy: in which schema its tables are, where the operator has said it.
_SCHEMA = "legacy_schema"


def connect(
    url: URL, *, application_name: str, autocommit: bool = False, read_only: bool = False
) -> psycopg.Connection:
    """Open a connection for a phase. A server that starts, or recovers from a crash, is waited for.

    Raises:
        DatabaseUnavailableError: nothing answers at the address.
        ConfigurationError: the server refuses the login or knows no such database, the URL has a
            parameter that libpq does not know, or a setting that the phases depend on is lost.
    """
    try:
        application = f"sigmasight {application_name}"
        connection = _once_started(partial(_opened, url, application))
        keep_watch(connection, partial(_opened, url, "sigmasight watch"))
        with _closed_on_failure(connection):
            _prove_session(connection, url, partial(_opened, url, application))
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise refusal(url, shown_address(url), error) from None
    connection.autocommit = autocommit
    connection.read_only = read_only or None
    return connection


@contextmanager
def session_at(
    url: URL,
    application_name: str,
    *,
    autocommit: bool = False,
    read_only: bool = False,
    snapshot: bool = False,
) -> Iterator[psycopg.Connection]:
    """A session for a block, as `connect` opens it, whose errors are `explained`.

    Args:
        snapshot: the block only reads, all of it in one snapshot.
    """
    opened = partial(connect, url, application_name=application_name, autocommit=autocommit)
    with explained(url), opened(read_only=read_only or snapshot) as session:
        if snapshot:
            session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield session


def writing_session(url: URL, application_name: str) -> psycopg.Connection:
    """A session that may write, also where an operator has made its database read-only by default.

    Raises:
        ConfigurationError: a standby answers.
    """
    session = connect(url, application_name=application_name)
    if session.info.parameter_status("in_hot_standby") == "on":
        session.close()
        raise ConfigurationError(
            f"{shown_address(url)}: this is a standby, which nobody can write to; give the "
            "address of its primary"
        )
    session.read_only = False
    return session


def first_value(
    session: psycopg.Connection[Any], query: QueryNoTemplate, parameters: Params | None = None
) -> Any:
    """The first value of the first row that a statement gives; None where it gives none."""
    with session.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query, parameters).fetchone()


def rows_as(
    kind: type[T],
    session: psycopg.Connection[Any],
    query: QueryNoTemplate,
    parameters: Params | None = None,
) -> list[T]:
    """The rows that a statement gives, each as an object with a field for every column."""
    with session.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, parameters).fetchall()


def _once_started(open_connection: Callable[[], psycopg.Connection]) -> psycopg.Connection:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return open_connection()
        except psycopg.OperationalError as error:
            if not re.search(_STARTING, str(error)) or time.monotonic() > deadline:
                raise
        time.sleep(_START_PAUSE_SECONDS)


def _opened(url: URL, application_name: str) -> psycopg.Connection:
    return psycopg.connect(
        conninfo(url.difference_update_query(["options", _SCHEMA])),
        autocommit=True,
        application_name=application_name,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        options=f"{url.query.get('options', '')} {_startup_options()}",
        keepalives_idle=30,
    )


def end_in_time(connection: psycopg.Connection, seconds: float) -> None:
    """Have the server itself end this transaction, also where nobody is there to do so."""
    known = connection.info.server_version >= 170000
    name = "transaction_timeout" if known else "idle_in_transaction_session_timeout"
    connection.execute("SELECT set_config(%s, %s, true)", [name, f"{seconds * 1000:.0f}ms"])


@contextmanager
def _closed_on_failure(connection: psycopg.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _startup_options() -> str:
    escaped = ((name, value.replace(" ", r"\ ")) for name, value in SESSION_SETTINGS.items())
    return " ".join(f"-c {name}={value}" for name, value in escaped)


def _prove_session(connection: psycopg.Connection, url: URL, reopen: Reopen) -> None:
    """See that the session has its settings and keeps them, with its locks. A pooler between may
    have left out what was sent at the start, and then it is set by a statement.

    Raises:
        ConfigurationError: even that does not last, or transactions may go to other sessions.
    """
    if lost := _lost_settings(connection):
        connection.execute(_SET, [lost, [SESSION_SETTINGS[name] for name in lost]])
        lost = _lost_settings(connection)
    place = (shown_address(url), url.username)
    if not lost and (place in _keeping or keeps_session(connection, reopen)):
        _keeping.add(place)
        return
    setting = _settings.get(shown_address(url), "the …_ADMIN_URL beside it")
    raise ConfigurationError(
        f"{shown_address(url)} {GIVES_AWAY} does, so that settings and locks do not hold; set "
        f"{setting} to the server's direct address"
    )


def _lost_settings(connection: psycopg.Connection) -> list[str]:
    known = [list(SESSION_SETTINGS), list(_WHERE_KNOWN), list(_WHERE_KNOWN.values())]
    wanted = {**SESSION_SETTINGS, **_WHERE_KNOWN}
    return [name for name, value in connection.execute(_READ_BACK, known) if value != wanted[name]]


def direct_by(url: URL, setting: str) -> URL:
    """The address, of which `setting` is named where it turns out to be no direct one."""
    _settings[shown_address(url)] = setting
    return url


def within_schema(url: URL, schema: str) -> URL:
    """The address of legacy, with the schema in which its tables are."""
    return url.update_query_dict({_SCHEMA: schema})


def schema_within(url: URL) -> str | None:
    """The schema that the operator has said an address is about, if he has."""
    found = url.query.get(_SCHEMA)
    return None if found is None else str(found)


def conninfo(url: URL) -> str:
    """The address as libpq reads it (also psql), password included."""
    plain = _on_path(url).set(drivername="postgresql")
    # SQLAlchemy leaves a space in a role or password as it is and writes + for one in a parameter;
    # libpq takes neither in a URI.
    place, mark, query = plain.render_as_string(hide_password=False).partition("?")
    return place.replace(" ", "%20") + mark + query.replace("+", "%20")


def _on_path(url: URL) -> URL:
    """The address with its schema first on the search path, before those where extensions are."""
    schema = schema_within(url)
    if schema is None:
        return url
    quoted = '"{}"'.format(schema.replace('"', '""'))
    path = re.sub(r"([\\\s])", r"\\\1", f'{quoted},"$user",public,extensions')
    given = f"{url.query.get('options', '')} -csearch_path={path}".strip()
    return url.difference_update_query([_SCHEMA]).update_query_dict({"options": given})


def shown_address(url: URL) -> str:
    """Host, port and database of an address: enough to find it, nothing to log in with."""
    host, port = place_of(url)
    return f"{host or 'local socket'}:{port}/{url.database}"


def place(connection: psycopg.Connection) -> str:
    """`shown_address` of the database that a session is in."""
    return f"{connection.info.host}:{connection.info.port}/{connection.info.dbname}"


_UNAVAILABLE = (
    pg.AdminShutdown,
    pg.CrashShutdown,
    pg.CannotConnectNow,
    pg.ConnectionFailure,
    pg.ConnectionDoesNotExist,
    pg.IdleSessionTimeout,
)

# Refused to this role, not installed, or not on a platform's list.
_NO_EXTENSION = r"(?:permission denied to create )?extension \"(\w+)\"(?! already)"

POLICIES_ADVICE = (
    "give the address of its owner, with NO FORCE ROW LEVEL SECURITY, or of a role with BYPASSRLS"
)
_SERVER_CONDITIONS: tuple[tuple[type[psycopg.Error], str], ...] = (
    (pg.DiskFull, "its disk is full; free space and run the command again"),
    (pg.ReadOnlySqlTransaction, "it is read-only (a standby?); use the primary's address"),
    (pg.InsufficientPrivilege, "the role lacks a privilege; use the owner's address"),
    (pg.UndefinedTable, "a table is missing; run `sigmasight migrate` first"),
    (pg.UndefinedColumn, "a column is missing; run `sigmasight migrate` first"),
    (pg.InvalidSchemaName, "a schema is missing; run `sigmasight migrate` first"),
    (pg.TransactionTimeout, "it took longer than it may; try again when less goes on"),
    (pg.OutOfMemory, "the server is out of memory; free some and run the command again"),
)


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn the server conditions that a user can act on into one clear line.

    Raises:
        DatabaseUnavailableError: the connection was lost.
        BusyError: another session held a lock for too long.
        ConfigurationError: the server is read-only, full, or its role may not do this.
    """
    try:
        yield
    except psycopg.Error as error:
        if found := re.match(_NO_EXTENSION, first_line(error)):
            raise ConfigurationError(
                f"{shown_address(url)}: {first_line(error)}; install or allow {found[1]} on the "
                f"server, then have its superuser run there: CREATE EXTENSION {found[1]}"
            ) from None
        for kind, advice in _SERVER_CONDITIONS:
            if isinstance(error, kind):
                said = first_line(error)
                advice = POLICIES_ADVICE if "row-level security" in said else advice
                raise ConfigurationError(f"{shown_address(url)}: {advice} ({said})") from None
        if isinstance(error, pg.LockNotAvailable):
            raise BusyError(
                f"{shown_address(url)}: another session holds a lock; try again when it is done"
            ) from None
        if isinstance(error, _UNAVAILABLE) or _lost(error):
            raise DatabaseUnavailableError(
                f"{shown_address(url)} went away; start it again and run the command again"
            ) from None
        raise


def _lost(error: psycopg.Error) -> bool:
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def first_line(error: psycopg.Error) -> str:
    """What the server said, without detail, hint and position."""
    return (error.diag.message_primary or str(error) or type(error).__name__).splitlines()[0]
