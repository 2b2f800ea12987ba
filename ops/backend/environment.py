"""What a backend is told: by its environment alone, never on a command line."""

import os
from collections.abc import Mapping

from pydantic import SecretStr

from ops.books.active_pair import Pair
from ops.connection import conninfo
from ops.embedded.databases import EmbeddedDatabases, LoginRole
from ops.endpoints import resolve_endpoints
from ops.errors import ConfigurationError
from ops.settings import OperatorSettings

# What a backend is not told, or is told anew: only the phases may know the owner's addresses, the
# old database and the demo users' password.
_PHASES_ALONE = frozenset(
    {
        "DATABASE_ADMIN_URL",
        "AI_DATABASE_ADMIN_URL",
        "LEGACY_DATABASE_URL",
        "LEGACY_DATABASE_ADMIN_URL",
        "DATABASE_URL",
        "AI_DATABASE_URL",
        "DEMO_PASSWORD",
    }
)


def served_environment(
    settings: OperatorSettings, pair: Pair, prefect_api_url: str | None = None
) -> dict[str, str]:
    """The environment of a served backend: the app role's addresses and the signing key.

    Args:
        pair: `new` is Core and AI; `old` is the old database alone, where nothing can be
            calculated: the backfill writes to Core.
        prefect_api_url: where `calculate` finds the backfill, if a server runs.

    Raises:
        ConfigurationError: there are no databases to serve from.
    """
    addresses = _addresses(settings) if pair == "new" else _old_address(settings)
    told = {**_inherited(), **addresses, "ACTIVE_PAIR": pair}
    settings.state.create()
    told["SECRET_KEY"] = settings.secret_key()
    if prefect_api_url is not None:
        told["PREFECT_API_URL"] = prefect_api_url
    if pair == "old":
        told.pop("PREFECT_API_URL", None)
    # The backend's own folder, by which its process is told from others'.
    told["SIGMASIGHT_HOME"] = str(settings.state.root)
    return told


def migrating_environment(settings: OperatorSettings, pair: Pair) -> dict[str, str]:
    """The environment of `alembic upgrade head`: as served, with the owner's addresses. The chains
    recognise the old database and leave it alone.

    Raises:
        ConfigurationError: there are no databases to migrate.
    """
    if pair == "old":
        return {**_inherited(), **_old_address(settings), "ACTIVE_PAIR": pair}
    if settings.embedded:
        owners = _embedded(settings, "owner")
    else:
        owners = _given(
            {
                "DATABASE_URL": settings.DATABASE_ADMIN_URL,
                "AI_DATABASE_URL": settings.AI_DATABASE_ADMIN_URL,
            }
        )
    admin = {name.replace("_URL", "_ADMIN_URL"): address for name, address in owners.items()}
    return {**_inherited(), **_addresses(settings), **admin}


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _PHASES_ALONE}


def _addresses(settings: OperatorSettings) -> dict[str, str]:
    core = settings.DATABASE_URL or settings.DATABASE_ADMIN_URL
    ai = settings.AI_DATABASE_URL or settings.AI_DATABASE_ADMIN_URL
    if core is not None:
        return _given({"DATABASE_URL": core, "AI_DATABASE_URL": ai})
    if ai is not None:
        raise ConfigurationError("AI_DATABASE_URL is set without DATABASE_URL; set both")
    return _embedded(settings, "app") if settings.embedded else _declared(settings)


def _old_address(settings: OperatorSettings) -> dict[str, str]:
    """The old database: as it is given, else the embedded one by its app role."""
    if settings.LEGACY_DATABASE_URL is not None:
        return _given({"DATABASE_URL": settings.LEGACY_DATABASE_URL})
    databases = EmbeddedDatabases(settings.state)
    if settings.embedded and databases.exists() and "legacy" in databases.names():
        return {"DATABASE_URL": conninfo(databases.url("legacy", "app"))}
    legacy = resolve_endpoints(settings).legacy
    if legacy is None:
        raise ConfigurationError("there is no old database to serve from; set LEGACY_DATABASE_URL")
    return {"DATABASE_URL": conninfo(legacy)}


def _declared(settings: OperatorSettings) -> dict[str, str]:
    """The owners' addresses of a stack: those of its app role are known to its own backend."""
    endpoints = resolve_endpoints(settings)
    return {
        "DATABASE_URL": conninfo(endpoints.core),
        "AI_DATABASE_URL": conninfo(endpoints.ai),
    }


def _given(addresses: Mapping[str, SecretStr | None]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in addresses.items() if value}


def _embedded(settings: OperatorSettings, role: LoginRole) -> dict[str, str]:
    databases = EmbeddedDatabases(settings.state)
    if not databases.exists():
        raise ConfigurationError("there are no databases here yet; run `sigmasight up`")
    return {
        "DATABASE_URL": conninfo(databases.url("core", role)),
        "AI_DATABASE_URL": conninfo(databases.url("ai", role)),
    }
