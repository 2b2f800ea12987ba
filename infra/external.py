"""The external target: servers that exist, given by address; the backend's configuration alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from pulumi import Input, Output, ResourceOptions
from sqlalchemy.engine import URL

from app.database_url import (
    InvalidDatabaseUrlError,
    parse_database_url,
    refuse_readable,
    same_database,
)
from infra.components import (
    Backend,
    BackendArgs,
    DeclaredStack,
    Place,
    PostgresInstance,
    backend_at_gate,
)
from infra.stack_config import PROJECT, StackConfig
from infra.stack_secrets import HOSTS_WITHOUT_TLS
from infra.topology import Topology
from ops.embedded.databases import Name
from ops.endpoints import STACK_KEYS
from ops.errors import ConfigurationError

_LABELS: Mapping[Name, str] = {"legacy": "the old database", "core": "Core", "ai": "AI"}


@dataclass(frozen=True)
class ExternalDatabase:
    """A database that is given.

    Attributes:
        app_url: the backend's address, as it was given; secret.
        admin_url: the owner's direct address; the same where none is given; secret.
        has_admin: whether one is given.
        location: where the backend's address leads, for checks; never shown.
    """

    app_url: Output[str]
    admin_url: Output[str]
    has_admin: bool
    location: URL
    admin_location: URL


def declare_external(topology: Topology, config: StackConfig) -> DeclaredStack:
    """Declare the backend's configuration on databases that exist. Nothing connects to them.

    Raises:
        ConfigurationError: an address is missing or no address, or two lead to one database.
    """
    databases = {name: given_database(name, config) for name in topology.databases}
    _check_distinct(databases)
    instances = {name: GivenPostgres(name, database) for name, database in databases.items()}
    backend = Backend("backend", _backend_args(databases, config))
    return DeclaredStack(instances, backend)


def given_database(name: Name, config: StackConfig) -> ExternalDatabase:
    """A database whose address the stack's secrets give.

    Raises:
        ConfigurationError: the address is missing, or is none.
    """
    key = STACK_KEYS[name]
    app_url, location = config.secret(f"{key}Url"), _parsed(f"{key}Url", config)
    admin = config.optional_secret(f"{key}AdminUrl")
    if admin is None:
        return ExternalDatabase(app_url, app_url, False, location, location)
    admin_location = _parsed(f"{key}AdminUrl", config)
    return ExternalDatabase(app_url, admin, True, location, admin_location)


def hosts_without_tls(config: StackConfig) -> list[str]:
    """The hosts that the stack says may be reached without TLS."""
    given = config.optional_text(HOSTS_WITHOUT_TLS) or ""
    return [host.strip() for host in given.split(",")]


def _parsed(key: str, config: StackConfig) -> URL:
    # The secret's text, for a look at preview time; it goes nowhere else.
    try:
        url = parse_database_url(config.source.get(key) or "")
        refuse_readable(url, hosts_without_tls(config))
        return url
    except InvalidDatabaseUrlError as error:
        raise ConfigurationError(
            f"the stack's secret {key} {error}; `pulumi config set --secret {PROJECT}:{key}`"
        ) from None


def _check_distinct(databases: Mapping[Name, ExternalDatabase]) -> None:
    names = list(databases)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            if _meet(databases[first], databases[second]):
                keys = f"{STACK_KEYS[first]}Url, {STACK_KEYS[second]}Url"
                raise ConfigurationError(
                    f"{_LABELS[first]} and {_LABELS[second]} are the same database; correct the "
                    f"stack's {keys} or the …AdminUrl beside them"
                )


def _meet(first: ExternalDatabase, second: ExternalDatabase) -> bool:
    places = (first.location, first.admin_location)
    others = (second.location, second.admin_location)
    return any(same_database(place, other) for place in places for other in others)


class GivenPostgres(PostgresInstance):
    """A database on a server that exists."""

    def __init__(
        self, name: Name, args: ExternalDatabase, opts: ResourceOptions | None = None
    ) -> None:
        """Declare where it is."""
        super().__init__(name, opts)
        # A host name is no password, but whoever wrote it into a secret did not mean to show it.
        host = Output.secret(args.location.host or "")
        port = Output.secret(args.location.port or 5432)
        database = Output.secret(args.location.database or "")
        self.answers_at(Place(host, port, args.admin_url, args.app_url, database))


def _backend_args(databases: Mapping[Name, ExternalDatabase], config: StackConfig) -> BackendArgs:
    core, ai, legacy = databases["core"], databases["ai"], databases.get("legacy")
    admin = {"DATABASE_ADMIN_URL": core, "AI_DATABASE_ADMIN_URL": ai}
    settings: dict[str, Input[str]] = {
        name: found.admin_url for name, found in admin.items() if found.has_admin
    }
    if (hosts := config.optional_text(HOSTS_WITHOUT_TLS)) is not None:
        settings["HOSTS_WITHOUT_TLS"] = hosts
    old_url = legacy.app_url if legacy is not None else None
    return backend_at_gate(core.app_url, ai.app_url, old_url, config, settings)
