"""Where the databases of a move are: embedded servers, or URLs that the environment gives."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg
from pydantic import SecretStr
from sqlalchemy.engine import URL

from app.database_url import parse_database_url, same_database
from ops.books.declared_stack import Target, declared
from ops.books.marker import Role
from ops.books.tombstones import cleaned_up
from ops.connection import direct_by, within_schema
from ops.embedded.databases import EmbeddedDatabases, Name
from ops.errors import ConfigurationError, SigmaSightError
from ops.settings import OperatorSettings

# With what the names of a stack's settings begin that give the addresses of a database.
STACK_KEYS: Mapping[Name, str] = {
    "legacy": "legacyDatabase",
    "core": "database",
    "ai": "aiDatabase",
}


@dataclass(frozen=True)
class Endpoints:
    """The owner's addresses that the phases use.

    Attributes:
        legacy: None where there is no old database to copy from.
        target: whose servers they are.
    """

    core: URL
    ai: URL
    legacy: URL | None
    target: Target

    @property
    def shared(self) -> bool:
        """Whether Core and AI are one database."""
        return same_database(self.core, self.ai)

    @property
    def core_role(self) -> Role:
        """How the Core database is marked."""
        return "shared" if self.shared else "core"


def resolve_endpoints(settings: OperatorSettings) -> Endpoints:
    """The addresses that the environment gives, or else those of the stack that was brought up,
    or else those of the embedded servers.

    Raises:
        ConfigurationError: only half of a pair is given, legacy is one of the pair, or there are
            no embedded servers yet.
    """
    core = _direct("DATABASE", settings.DATABASE_ADMIN_URL or settings.DATABASE_URL)
    ai = _direct("AI_DATABASE", settings.AI_DATABASE_ADMIN_URL or settings.AI_DATABASE_URL)
    legacy = given_legacy(settings)
    if core is None:
        if ai is not None:
            raise ConfigurationError("AI_DATABASE_URL is set without DATABASE_URL; set both")
        return _declared(settings, legacy) or _embedded(settings, legacy)
    endpoints = Endpoints(core, ai or core, legacy, "external")
    return _checked(endpoints)


def present_endpoints(settings: OperatorSettings) -> Endpoints:
    """`resolve_endpoints` without an old database that a cleanup has removed, whatever the
    environment still says of it. Where Core cannot be asked, that stays as it is said."""
    found = resolve_endpoints(settings)
    with suppress(SigmaSightError, psycopg.Error):
        return without_removed(found)
    return found


def without_removed(endpoints: Endpoints) -> Endpoints:
    """The same without an old database that a cleanup has removed, or is removing.

    Raises:
        DatabaseUnavailableError, ConfigurationError: Core cannot be asked.
    """
    if endpoints.legacy is None or cleaned_up(endpoints.core) is None:
        return endpoints
    return replace(endpoints, legacy=None)


def present_legacy(settings: OperatorSettings) -> URL | None:
    """The old database, if any, also where nothing else is there yet."""
    try:
        return present_endpoints(settings).legacy
    except ConfigurationError:
        return given_legacy(settings)


def given_legacy(settings: OperatorSettings) -> URL | None:
    """The old database's address that the environment gives, if any."""
    given = settings.LEGACY_DATABASE_ADMIN_URL or settings.LEGACY_DATABASE_URL
    return _in_schema(_direct("LEGACY_DATABASE", given), settings)


def _in_schema(legacy: URL | None, settings: OperatorSettings) -> URL | None:
    if legacy is None or settings.LEGACY_SCHEMA is None:
        return legacy
    return within_schema(legacy, settings.LEGACY_SCHEMA)


def _declared(settings: OperatorSettings, legacy: URL | None) -> Endpoints | None:
    """The addresses of a declared stack; embedded servers are found by their own record."""
    stack = declared(settings.state)
    target, found = stack.target, stack.urls
    if target is None or target == "embedded":
        return None
    old, core, ai = (
        direct_by(parse_database_url(url), f"the stack's {key}AdminUrl")
        if (url := found.get(name))
        else None
        for name, key in STACK_KEYS.items()
    )
    if core is None:
        raise ConfigurationError(
            f"the {target} stack has no databases; run `sigmasight up --target {target}`"
        )
    return _checked(Endpoints(core, ai or core, legacy or _in_schema(old, settings), target))


def _embedded(settings: OperatorSettings, legacy: URL | None) -> Endpoints:
    databases = EmbeddedDatabases(settings.state)
    if not databases.exists():
        raise ConfigurationError("there are no databases here yet; run `sigmasight up`")
    demo = "legacy" in databases.names()
    return Endpoints(
        core=databases.url("core", "owner"),
        ai=databases.url("ai", "owner"),
        legacy=legacy or (databases.url("legacy", "owner") if demo else None),
        target="embedded",
    )


def _checked(endpoints: Endpoints) -> Endpoints:
    for url in (endpoints.core, endpoints.ai):
        if endpoints.legacy is not None and same_database(endpoints.legacy, url):
            raise ConfigurationError(
                "LEGACY_DATABASE_URL names the database that is being built; "
                "give the old database's own address, or unset it"
            )
    return endpoints


def _direct(name: str, secret: SecretStr | None) -> URL | None:
    if secret is None:
        return None
    return direct_by(parse_database_url(secret.get_secret_value()), f"{name}_ADMIN_URL")
