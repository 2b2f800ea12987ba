"""What a backend is told, by its environment alone, never on a command line; and the mark by which
a running one is known to be the one that would be started now."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.chain_folders import PROJECT_ROOT
from app.config import Settings
from app.database_url import parse_database_url
from ops.connection import conninfo, within_schema
from ops.embedded.databases import EmbeddedDatabases, LoginRole
from ops.endpoints import resolve_endpoints
from ops.errors import ConfigurationError
from ops.processes import HOME
from ops.settings import OperatorSettings

# What the supervisor has loaded beside its own package.
_ALSO_LOADED = [
    PROJECT_ROOT / "ops" / f"{name}.py" for name in ("processes", "state_folder", "waiting")
]

# What a backend is not told, or is told anew: only the phases may know the owner's addresses, the
# old database and whom they log in as.
_PHASES_ALONE = frozenset(
    {
        "DATABASE_ADMIN_URL",
        "AI_DATABASE_ADMIN_URL",
        "LEGACY_DATABASE_URL",
        "LEGACY_DATABASE_ADMIN_URL",
        "DATABASE_URL",
        "AI_DATABASE_URL",
        "DEMO_PASSWORD",
        "PROBE_ACCOUNTS",
        "PROBE_PASSWORDS_FILE",
        "PROBE_SIGNING",
    }
)


def served_environment(
    settings: OperatorSettings, *, both: bool, prefect_api_url: str | None = None
) -> dict[str, str]:
    """The environment of a served backend: the app role's addresses and the signing key.

    Args:
        both: whether it holds the old database too, and Core says which pair serves; else it
            serves Core and AI.
        prefect_api_url: where `calculate` finds the backfill, if a server runs.

    Raises:
        ConfigurationError: there are no databases to serve from.
    """
    told = {**_inherited(), **_addresses(settings), "ACTIVE_PAIR": "new"}
    if both:
        told |= {"ACTIVE_PAIR": "gate", "LEGACY_DATABASE_URL": _old_address(settings)}
    settings.state.create()
    told["SECRET_KEY"] = settings.secret_key()
    told["BACKEND_REPLICAS"] = str(settings.replicas)
    if prefect_api_url is not None:
        told["PREFECT_API_URL"] = prefect_api_url
    # The backend's own folder, by which its process is told from others'.
    told[HOME] = str(settings.state.root)
    return told


def migrating_environment(settings: OperatorSettings) -> dict[str, str]:
    """The environment of `alembic upgrade head`: as served, with the owner's addresses. The old
    database is left alone.

    Raises:
        ConfigurationError: there are no databases to migrate.
    """
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


def _old_address(settings: OperatorSettings) -> str:
    """The old database: as it is given, else the embedded one by its app role."""
    given = settings.LEGACY_DATABASE_URL or settings.LEGACY_DATABASE_ADMIN_URL
    if given is not None:
        if settings.LEGACY_SCHEMA is None:
            return given.get_secret_value()
        url = parse_database_url(given.get_secret_value())
        return conninfo(within_schema(url, settings.LEGACY_SCHEMA))
    databases = EmbeddedDatabases(settings.state)
    if settings.embedded and databases.exists() and "legacy" in databases.names():
        return conninfo(databases.url("legacy", "app"))
    legacy = resolve_endpoints(settings).legacy
    if legacy is None:
        raise ConfigurationError("there is no old database to serve from; set LEGACY_DATABASE_URL")
    return conninfo(legacy)


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


def mark_of(environment: Mapping[str, str], application: str) -> str:
    """A digest of the code and the settings of a backend, and of its supervisor, that would be
    started now: by it a running one is known again."""
    program = [path for path in (PROJECT_ROOT / "app").rglob("*") if path.suffix != ".pyc"]
    own = (PROJECT_ROOT / "ops" / "backend").glob("*.py")
    code = _digest(path for path in (*program, *own, *_ALSO_LOADED) if path.is_file())
    return f"{code}-{_configuration_mark(environment, application)}"


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.relative_to(PROJECT_ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _configuration_mark(environment: Mapping[str, str], application: str) -> str:
    """A digest of the backend's settings. The signing key goes into it, so that it cannot be
    tried out what the settings are."""
    told: dict[str, Any] = {name: environment.get(name) for name in sorted(Settings.model_fields)}
    dotenv = Path(".env")
    file = dotenv.read_text(errors="replace") if dotenv.is_file() else ""
    return hashlib.sha256(json.dumps([application, told, file]).encode()).hexdigest()
