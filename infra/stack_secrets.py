"""The secrets that a stack cannot be declared without: generated once, or given by environment."""

import secrets
from collections.abc import Iterable, Mapping

from infra.topology import Topology
from ops.embedded.databases import NAMES, Name
from ops.settings import OperatorSettings

# Configuration key of servers that exist: the environment variable that gives it.
_GIVEN = {
    "databaseUrl": "DATABASE_URL",
    "databaseAdminUrl": "DATABASE_ADMIN_URL",
    "aiDatabaseUrl": "AI_DATABASE_URL",
    "aiDatabaseAdminUrl": "AI_DATABASE_ADMIN_URL",
    "legacyDatabaseUrl": "LEGACY_DATABASE_URL",
    "legacyDatabaseAdminUrl": "LEGACY_DATABASE_ADMIN_URL",
}
SECRET_KEY = "secretKey"
# In which schema of the old database its tables are, where that has been said.
LEGACY_SCHEMA = "legacySchema"
# Which service of a Railway project the old database is.
OLD_SERVICE = "railwayLegacyService"
# The databases' hosts, separated by commas, that may be reached without TLS.
HOSTS_WITHOUT_TLS = "hostsWithoutTls"
# What a stack holds of an old database that it is given.
LEGACY_ADDRESSES = ("legacyDatabaseUrl", "legacyDatabaseAdminUrl", LEGACY_SCHEMA)


def docker_secrets(names: Iterable[Name]) -> tuple[str, ...]:
    """The keys that must hold secrets before these servers can be declared."""
    return (*(key for name in names for key in password_keys(name)), SECRET_KEY)


def password_keys(name: Name) -> tuple[str, ...]:
    """The keys of a server's passwords, one per login role."""
    return tuple(f"{name}{role}Password" for role in ("Superuser", "Owner", "App", "Readonly"))


ALL_SECRETS = (*docker_secrets(NAMES), *_GIVEN)


def given_addresses(settings: OperatorSettings) -> dict[str, str]:
    """The addresses that the environment gives, by the configuration key that holds each."""
    found = {key: getattr(settings, variable) for key, variable in _GIVEN.items()}
    given = {key: secret.get_secret_value() for key, secret in found.items() if secret}
    further = {
        LEGACY_SCHEMA: settings.LEGACY_SCHEMA,
        HOSTS_WITHOUT_TLS: ",".join(settings.HOSTS_WITHOUT_TLS),
    }
    return given | {key: value for key, value in further.items() if value}


def secrets_to_set(
    topology: Topology, known: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """What has to be set before the stack can be declared.

    Args:
        known: the stack's configuration; what it holds is never generated anew.
        given: addresses of an external stack; they replace what the stack holds.
    """
    if topology.target == "embedded":
        return {}
    generated = {key: secrets.token_urlsafe(32) for key in _generated(topology) if key not in known}
    wanted = {key: value for key, value in given.items() if _belongs(key, topology)}
    return generated | {key: value for key, value in wanted.items() if known.get(key) != value}


def _belongs(key: str, topology: Topology) -> bool:
    """An old database that is gone is not brought back by an address that is still given."""
    if key in LEGACY_ADDRESSES:
        return topology.legacy == "present" and topology.target in ("external", "railway")
    return topology.target == "external" or (topology.target, key) == ("railway", HOSTS_WITHOUT_TLS)


def _generated(topology: Topology) -> tuple[str, ...]:
    if topology.target == "docker":
        return docker_secrets(topology.databases)
    if topology.target == "railway":
        return docker_secrets(name for name in topology.databases if name != "legacy")
    return (SECRET_KEY,)
