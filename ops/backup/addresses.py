"""By which addresses the databases are dumped."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy.engine import URL

from app.database_url import same_database
from ops.books.backups import Database
from ops.embedded.databases import SPECS, EmbeddedDatabases
from ops.endpoints import Endpoints, resolve_endpoints, without_removed
from ops.errors import BadInputError
from ops.settings import OperatorSettings

_ALL: tuple[Database, ...] = ("core", "ai", "legacy")


def backup_addresses(
    settings: OperatorSettings, databases: Sequence[Database] | None = None
) -> dict[Database, URL]:
    """The address of each database that is there, or of those that are named. Where Core and AI are
    one database, it is dumped as Core.

    Raises:
        BadInputError: one that is named is not there.
        ConfigurationError: there are no databases, or an address cannot be used.
    """
    endpoints = without_removed(resolve_endpoints(settings))
    present = _present(endpoints)
    missing = [name for name in databases or () if name not in present]
    if missing:
        raise BadInputError(f"there is no {missing[0]} database to back up; leave it out")
    return {name: _privileged(settings, endpoints, name) for name in databases or present}


def _present(endpoints: Endpoints) -> list[Database]:
    found = list(_ALL)
    if endpoints.shared:
        found.remove("ai")
    if endpoints.legacy is None:
        found.remove("legacy")
    return found


def _privileged(settings: OperatorSettings, endpoints: Endpoints, name: Database) -> URL:
    """On servers of ours the superuser's address: its role can restore a dump beside its source,
    extensions included."""
    url = cast(URL, getattr(endpoints, name))
    databases = EmbeddedDatabases(settings.state)
    if endpoints.target != "embedded" or name not in databases.names():
        return url
    if not same_database(url, databases.url(name, "owner")):
        return url  # an old database that was given by its address
    return databases.server(name).url(SPECS[name].database)
