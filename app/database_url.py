"""PostgreSQL addresses: every accepted spelling becomes one SQLAlchemy URL on psycopg 3."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_ACCEPTED_SCHEMES = frozenset(
    {"postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg", "postgresql+psycopg2"}
)


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


def same_database(first: URL, second: URL) -> bool:
    """Whether two addresses name the same database of the same server, whoever logs in."""
    return _location(first) == _location(second)


def _location(url: URL) -> tuple[str, int, str | None]:
    host = url.host or str(url.query.get("host", "localhost"))
    return ("127.0.0.1" if host == "localhost" else host.lower(), url.port or 5432, url.database)
