"""What every target is made of: database instances, and the backend's configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
from pulumi import ComponentResource, Input, Output, ResourceOptions

from app.database_url import parse_database_url
from infra.stack_config import PROJECT, StackConfig
from infra.stack_secrets import LEGACY_SCHEMA, SECRET_KEY
from ops.backend.foreground import KEEP_ALIVE_SECONDS
from ops.connection import conninfo, within_schema
from ops.embedded.databases import NAMES, SPECS, Name
from ops.errors import ConfigurationError

MIGRATE_COMMAND = "alembic -c alembic.ini upgrade head && alembic -c alembic_ai.ini upgrade head"
# The runbook's own start command: both chains, then the server. HOST is for containers, whose
# loopback nobody else reaches.
START_COMMAND = (
    f"{MIGRATE_COMMAND} && "
    "exec uvicorn app.main:app --host ${HOST:-127.0.0.1} --port ${PORT:-8000} "
    f"--timeout-keep-alive {KEEP_ALIVE_SECONDS}"
)

# The key that signs tokens is as long at least, or the backend would refuse it.
SHORTEST_KEY = 32
_ADDRESSES = ("ACTIVE_PAIR", "DATABASE_URL", "AI_DATABASE_URL", "LEGACY_DATABASE_URL")


@dataclass(frozen=True)
class Place:
    """Where an instance answers; the addresses hold passwords and are kept secret.

    Attributes:
        owner_url: the owner's address, as flows use it from outside.
        app_url: the backend's address, as the backend reaches it.
        database: what it is called there, if not as ours are.
        volume, container: what holds its data and what runs it, by their names in Docker.
    """

    host: Input[str]
    port: Input[int]
    owner_url: Input[str]
    app_url: Input[str]
    database: Input[str] | None = None
    volume: Input[str] | None = None
    container: Input[str] | None = None


class PostgresInstance(ComponentResource):
    """A PostgreSQL server with one database, whichever target runs it: each has its own subclass,
    which declares what that takes and then says where it answers.

    Attributes:
        place: for whoever uses the database, another stack too: `host`, `port`, `database`, and on
            docker `volume` and `container`.
        owner_url: the owner's address; secret.
        app_url: the backend's address; secret.
    """

    place: dict[str, Output[Any]]
    owner_url: Output[str]
    app_url: Output[str]

    def __init__(self, name: Name, opts: ResourceOptions | None = None) -> None:
        """Declare the instance; what runs it has this component as its parent."""
        self._spec = SPECS[name]
        inputs = {**vars(self._spec), "extensions": list(self._spec.extensions)}
        super().__init__("sigmasight:infra:PostgresInstance", name, inputs, opts)

    def answers_at(self, place: Place) -> None:
        """Make outputs of where it answers, once all of it is declared."""
        known: dict[str, Input[Any] | None] = {
            "host": place.host,
            "port": place.port,
            "database": place.database or self._spec.database,
            "volume": place.volume,
            "container": place.container,
        }
        self.place = {
            key: Output.from_input(found) for key, found in known.items() if found is not None
        }
        self.owner_url = Output.secret(place.owner_url)
        self.app_url = Output.secret(place.app_url)
        urls = {"owner_url": self.owner_url, "app_url": self.app_url}
        self.register_outputs({**self.place, **urls})


@dataclass(frozen=True)
class BackendArgs:
    """What the backend is configured with.

    Attributes:
        pair: whose addresses these are; `gate` are those of both pairs, of which Core says from
            moment to moment which is served.
        settings: further environment variables.
        url: where users reach it, if that is known.
    """

    pair: Literal["new", "gate"]
    database_url: Input[str]
    ai_database_url: Input[str]
    settings: Mapping[str, Input[str]]
    url: str | None = None


def backend_key(config: StackConfig) -> Output[str]:
    """The stack's secret key; the same for both pairs, so that a login outlives a swap.

    Raises:
        ConfigurationError: it is missing, or so short that the backend would refuse it.
    """
    key = config.secret(SECRET_KEY)
    if len(config.source.get(SECRET_KEY) or "") < SHORTEST_KEY:
        raise ConfigurationError(
            f"the stack's secret {SECRET_KEY} is too short; use {SHORTEST_KEY} or more random "
            f"characters: `pulumi config set --secret {PROJECT}:{SECRET_KEY}`"
        )
    return key


def backend_at_gate(
    database_url: Input[str],
    ai_database_url: Input[str],
    legacy_database_url: Output[str] | None,
    config: StackConfig,
    settings: Mapping[str, Input[str]],
    url: str | None = None,
) -> BackendArgs:
    """What a backend is told that is deployed once and serves either pair: the addresses of all
    databases, whichever is active; those of the new pair alone where there is no old one.

    Raises:
        ConfigurationError: what the operator tells it more is none of his, or no text.
    """
    told = {**settings, "ENVIRONMENT": "production", "SECRET_KEY": backend_key(config)}
    told["BACKEND_REPLICAS"] = str(config.replicas())
    told |= config.variables("backendEnvironment", taken={*told, *_ADDRESSES})
    if legacy_database_url is None:
        return BackendArgs("new", database_url, ai_database_url, told, url)
    if (schema := config.optional_text(LEGACY_SCHEMA)) is not None:
        legacy_database_url = legacy_database_url.apply(
            lambda url: conninfo(within_schema(parse_database_url(url), schema))
        )
    told["LEGACY_DATABASE_URL"] = legacy_database_url
    return BackendArgs("gate", database_url, ai_database_url, told, url)


class Backend(ComponentResource):
    """The backend's configuration, and what starts it.

    Attributes:
        environment: its environment variables, addresses included; secret as a whole.
        start_command: what a shell runs in its container or folder.
        url: where users reach it, if it is a container of the stack.
    """

    environment: Output[dict[str, str]]
    start_command: Output[str]

    def __init__(self, name: str, args: BackendArgs, opts: ResourceOptions | None = None) -> None:
        """Declare the backend; what runs it has this component as its parent."""
        # The addresses are secret: whose they are is what a plan shows of a change.
        super().__init__("sigmasight:infra:Backend", name, {"pair": args.pair}, opts)
        variables = {
            **args.settings,
            "ACTIVE_PAIR": args.pair,
            "DATABASE_URL": args.database_url,
            "AI_DATABASE_URL": args.ai_database_url,
        }
        self.environment = Output.secret(Output.all(**variables))
        self.start_command = Output.from_input(START_COMMAND)
        self.url = args.url
        self.register_outputs(
            {"environment": self.environment, "start_command": self.start_command}
        )


@dataclass(frozen=True)
class DeclaredStack:
    """What a target's module has declared."""

    instances: Mapping[Name, PostgresInstance]
    backend: Backend

    def export(self) -> None:
        """Make outputs of the addresses that flows use, all of them secret, and for other stacks of
        where each database answers, which holds no password."""
        for name in NAMES:
            found = self.instances.get(name)
            pulumi.export(f"{name}_url", found.owner_url if found else None)
        pulumi.export("databases", {name: db.place for name, db in self.instances.items()})
        pulumi.export("backend_environment", self.backend.environment)
        pulumi.export("backend_start_command", self.backend.start_command)
        pulumi.export("backend_url", self.backend.url)
