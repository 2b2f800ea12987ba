"""PostgreSQL addresses: every accepted spelling becomes one SQLAlchemy URL on psycopg 3."""

import os
import re
from collections.abc import Collection, Iterator
from ipaddress import ip_address
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_ACCEPTED_SCHEMES = frozenset(
    {"postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg", "postgresql+psycopg2"}
)
_SEVERAL_HOSTS = "names several hosts, which is not supported; give the one that takes writes"
_TLS_MODES = frozenset({"require", "verify-ca", "verify-full"})


class InvalidDatabaseUrlError(ValueError):
    """A text is not a PostgreSQL address. The message never repeats the text, which may hold
    a password."""


def parse_database_url(text: str) -> URL:
    """Return `text` as a `postgresql+psycopg` URL.

    Raises:
        InvalidDatabaseUrlError: the text does not parse, is not PostgreSQL, names no database or
            several hosts, or holds what a terminal would not show as it is.
    """
    if text.count("@") > 1:
        # Where it is taken apart, a part of the password would pass for host or database.
        raise InvalidDatabaseUrlError("has an @ too many; write one in the password as %40")
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        several = re.search(r"[@/][^@/?]+:\d+,", text)  # each with its port
        raise InvalidDatabaseUrlError(
            _SEVERAL_HOSTS
            if several
            else "is not a URL; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
            "with special characters of the password percent-encoded"
        ) from None
    if url.drivername not in _ACCEPTED_SCHEMES:
        raise InvalidDatabaseUrlError(
            f"has the scheme {url.drivername!r}; only postgresql:// is supported"
        )
    if not url.database:
        raise InvalidDatabaseUrlError("names no database; add /DATABASE at its end")
    if "," in (url.host or ""):
        raise InvalidDatabaseUrlError(_SEVERAL_HOSTS)
    if not "".join(_shown_parts(url)).isprintable():
        raise InvalidDatabaseUrlError(
            "holds control characters in its host, role, database or parameters; remove them"
        )
    return url.set(drivername="postgresql+psycopg")


def _shown_parts(url: URL) -> Iterator[str]:
    """Whatever messages may repeat, decoded: all but the password."""
    yield from filter(None, (url.username, url.database, unquote(url.host or "")))
    for name, values in url.normalized_query.items():
        yield from (name, *values)


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


def place_of(url: URL) -> tuple[str | None, int]:
    """Host, a socket's folder too, and port. libpq takes a parameter before what stands in the
    address itself, and of several the last."""
    host, port = (url.normalized_query.get(name, ("",))[-1] for name in ("host", "port"))
    return host or url.host, int(port) if port.isdecimal() else url.port or 5432


def server_of(url: URL) -> tuple[str, int]:
    """Host and port, spelt in one way."""
    host, port = place_of(url)
    return "127.0.0.1" if host in (None, "localhost") else host.lower(), port


def _location(url: URL) -> tuple[str, int, str | None]:
    return (*server_of(url), url.database)
