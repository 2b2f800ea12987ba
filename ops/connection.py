"""Connections for the phases: pinned session settings, and errors that say what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from sqlalchemy.engine import URL

from ops.errors import (
    BusyError,
    ConfigurationError,
    DatabaseUnavailableError,
    SigmaSightError,
)

CONNECT_TIMEOUT_SECONDS = 10

# Text forms of values depend on these three; hashes and copies need one form everywhere.
# A role's own short statement_timeout must not end a copy of any length.
_SESSION_SETTINGS = (
    "-c timezone=UTC -c datestyle=ISO,YMD -c extra_float_digits=1 -c statement_timeout=0 "
    "-c idle_in_transaction_session_timeout=0"
)


def connect(
    url: URL, *, application_name: str, autocommit: bool = False, read_only: bool = False
) -> psycopg.Connection:
    """Open a connection for a phase.

    Raises:
        DatabaseUnavailableError: nothing answers at the address.
        ConfigurationError: the server refuses the login or knows no such database, or the URL has a
            parameter that libpq does not know.
    """
    try:
        connection = psycopg.connect(
            conninfo(url.difference_update_query(["options"])),
            autocommit=autocommit,
            application_name=f"sigmasight {application_name}",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            options=f"{url.query.get('options', '')} {_SESSION_SETTINGS}",
            keepalives_idle=30,
        )
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise _connection_error(url, error) from None
    connection.read_only = read_only or None
    return connection


def conninfo(url: URL) -> str:
    """The address as libpq reads it (also psql), password included."""
    plain = url.set(drivername="postgresql")
    # SQLAlchemy leaves a space in a role or password as it is, and libpq takes none in a URI.
    return plain.render_as_string(hide_password=False).replace(" ", "%20")


def shown_address(url: URL) -> str:
    """Host, port and database of an address: enough to find it, nothing to log in with."""
    return f"{url.host or 'local socket'}:{url.port or 5432}/{url.database}"


def _connection_error(url: URL, error: psycopg.Error) -> SigmaSightError:
    text = str(error)
    if isinstance(error, pg.InvalidPassword) or "password authentication failed" in text:
        return ConfigurationError(
            f"{shown_address(url)} refuses the password of role "
            f"{url.username!r}; correct it in the URL"
        )
    for pattern, advice in _REFUSALS:
        if re.search(pattern, text):
            return ConfigurationError(f"{shown_address(url)}: {advice}")
    if re.search(_STOPPING, text):
        return DatabaseUnavailableError(
            f"{shown_address(url)} is starting or stopping; try again shortly"
        )
    if found := re.search(r"FATAL:\s+(.+)", text):
        return ConfigurationError(f"{shown_address(url)} refuses the connection: {found[1]}")
    return DatabaseUnavailableError(
        f"no PostgreSQL server answers at {shown_address(url)}; start it or correct the URL"
    )


_STOPPING = r"starting up|shutting down|recovery|not (yet )?accepting connections|terminating"

_REFUSALS = (
    (
        r"invalid URI query parameter|invalid \w+ value",
        "libpq does not know a parameter of the URL, or its value; correct or remove it",
    ),
    (r"certificate", "the server's certificate cannot be checked; correct the URL's sslrootcert"),
    (r"database .* does not exist", "there is no such database; create it or correct the URL"),
    (r"role .* does not exist", "there is no such role; create it or correct the URL"),
    (r"no pg_hba.conf entry|SSL", "the server does not accept this way of connecting (pg_hba/TLS)"),
    (r"not permitted to log in", "this role may not log in; use another or grant LOGIN"),
    (r"permission denied for database", "this role may not connect; grant CONNECT or use another"),
    (
        r"too many (connections|clients)|connection slots",
        "the server has no free connection; try later",
    ),
    (r"No space left on device", "its disk is full; free space and run the command again"),
    (r"no password supplied", "the server wants a password; add it to the URL"),
)

_UNAVAILABLE = (
    pg.AdminShutdown,
    pg.CrashShutdown,
    pg.CannotConnectNow,
    pg.ConnectionFailure,
    pg.ConnectionDoesNotExist,
)

_SERVER_CONDITIONS: tuple[tuple[type[psycopg.Error], str], ...] = (
    (pg.DiskFull, "its disk is full; free space and run the command again"),
    (pg.ReadOnlySqlTransaction, "it is read-only (a standby?); use the primary's address"),
    (pg.InsufficientPrivilege, "the role lacks a privilege; use the owner's address"),
    (pg.UndefinedTable, "a table is missing; run `sigmasight migrate` first"),
    (pg.InvalidSchemaName, "a schema is missing; run `sigmasight migrate` first"),
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
        for kind, advice in _SERVER_CONDITIONS:
            if isinstance(error, kind):
                raise ConfigurationError(
                    f"{shown_address(url)}: {advice} ({first_line(error)})"
                ) from None
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
    return (error.diag.message_primary or str(error)).splitlines()[0]
