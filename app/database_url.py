"""PostgreSQL addresses: every accepted spelling becomes one SQLAlchemy URL on psycopg 3."""

import os
from collections.abc import Collection, Iterator
from ipaddress import ip_address

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_ACCEPTED_SCHEMES = frozenset(
    {"postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg", "postgresql+psycopg2"}
)
_TLS_MODES = frozenset({"require", "verify-ca", "verify-full"})


class InvalidDatabaseUrlError(ValueError):
    """A text is not a PostgreSQL address. The message never repeats the text, which may hold
    a password."""


def parse_database_url(text: str) -> URL:
    """Return `text` as a `postgresql+psycopg` URL.

    Raises:
        InvalidDatabaseUrlError: the text does not parse, is not PostgreSQL, or names no database.
    """
    if text.count("@") > 1:
        # Where it is taken apart, a part of the password would pass for host or database.
        raise InvalidDatabaseUrlError("has an @ too many; write one in the password as %40")
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise InvalidDatabaseUrlError(
            "is not a URL; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
            "with special characters of the password percent-encoded"
        ) from None
    if url.drivername not in _ACCEPTED_SCHEMES:
        raise InvalidDatabaseUrlError(
            f"has the scheme {url.drivername!r}; only postgresql:// is supported"
        )
    if not url.database:
        raise InvalidDatabaseUrlError("names no database; add /DATABASE at its end")
    return url.set(drivername="postgresql+psycopg")


def refuse_readable(url: URL, hosts_without_tls: Collection[str]) -> None:
    """See that nobody on the way to a server can read what is sent there: it asks for TLS, or the
    server is on this machine, or its host is one of `hosts_without_tls`.

    Raises:
        InvalidDatabaseUrlError: somebody can.
    """
    asked = str(url.query.get("sslmode") or os.environ.get("PGSSLMODE"))
    trusted = asked in _TLS_MODES or url.query.get("sslrootcert") == "system"
    accepted = {host.lower() for host in hosts_without_tls}
    if not trusted and not all(_is_here(host) or host in accepted for host in _hosts(url)):
        raise InvalidDatabaseUrlError(
            "leaves this machine without TLS; add sslmode=require, or verify-full with the "
            "sslrootcert of its authority, or name its host in HOSTS_WITHOUT_TLS"
        )


def _hosts(url: URL) -> Iterator[str]:
    """All of them: libpq may be given several, an address beside a name, and what no address says
    by the environment or in a file of services."""
    named = url.query.get("host")
    host = url.host or named or os.environ.get("PGHOST")
    address = url.query.get("hostaddr") or os.environ.get("PGHOSTADDR")
    service = url.query.get("service") or os.environ.get("PGSERVICE")
    for given in (host, named, address, service):
        for listed in (given,) if isinstance(given, str) else given or ():
            yield from listed.lower().split(",")


def _is_here(host: str) -> bool:
    if host == "localhost" or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def same_database(first: URL, second: URL) -> bool:
    """Whether two addresses name the same database of the same server, whoever logs in."""
    return _location(first) == _location(second)


def server_of(url: URL) -> tuple[str, int]:
    """Host and port, spelt in one way."""
    host = url.host or str(url.query.get("host", "localhost"))
    return ("127.0.0.1" if host == "localhost" else host.lower(), url.port or 5432)


def _location(url: URL) -> tuple[str, int, str | None]:
    return (*server_of(url), url.database)
