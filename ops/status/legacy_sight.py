"""What a look sees of the old database without leaving a trace there."""

from dataclasses import dataclass

from sqlalchemy.engine import URL

from ops.status.session import brief_session


@dataclass(frozen=True)
class LegacySight:
    """The old database by its greeting and its catalogue.

    Attributes:
        unlocked: the tables that could be written to.
    """

    server: str
    tables: int
    unlocked: tuple[str, ...]


def legacy_sight(url: URL) -> LegacySight:
    """Log in and read the catalogue. No table of users is read, nor any of ours there: after a
    swap their counters tell whether anybody still uses the old database.

    Raises:
        DatabaseUnavailableError: nothing answers.
        ConfigurationError: the server refuses the login.
    """
    # Only here: what a lock is about takes a moment to import.
    from ops.write_lock.tables import tables

    with brief_session(url) as session:
        found = tables(session)  # type: ignore[arg-type]
        server = session.info.parameter_status("server_version") or "?"
    unlocked = tuple(str(one) for one in found if not one.locked)
    return LegacySight(server, len(found), unlocked)
