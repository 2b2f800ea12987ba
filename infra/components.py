"""What every target is made of: database instances, and the backend's configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
from pulumi import ComponentResource, Input, Output, ResourceOptions

from app.database_url import parse_database_url
from infra.backend_key import backend_key
from infra.stack_config import StackConfig
from infra.stack_secrets import LEGACY_SCHEMA
from infra.topology import DatabaseInstance
from ops.connection import conninfo, within_schema
from ops.embedded.databases import NAMES, Name

# The runbook's own start command: both chains, then the server. HOST is for containers, whose
# loopback nobody else reaches.
START_COMMAND = (
    "alembic -c alembic.ini upgrade head && alembic -c alembic_ai.ini upgrade head && "
    "exec uvicorn app.main:app --host ${HOST:-127.0.0.1} --port ${PORT:-8000}"
)


@dataclass(frozen=True)
class Place:
    """Where an instance answers; the addresses hold passwords and are kept secret.

    Attributes:
        owner_url: the owner's address, as flows use it from outside.
        app_url: the backend's address, as the backend reaches it.
        database: what it is called there, if not as ours are.
    """

    host: Input[str]
    port: Input[int]
    owner_url: Input[str]
    app_url: Input[str]
    database: Input[str] | None = None


class PostgresInstance(ComponentResource):
    """A PostgreSQL server with one database, whichever target runs it.

    Attributes:
        host, port, database: where it answers.
        owner_url: the owner's address; secret.
        app_url: the backend's address; secret.
    """

    host: Output[str]
    port: Output[int]
    database: Output[str]
    owner_url: Output[str]
    app_url: Output[str]

    def __init__(
        self,
        instance: DatabaseInstance,
        build: Callable[["PostgresInstance"], Place],
        opts: ResourceOptions | None = None,
    ) -> None:
        """Declare the instance.

        Args:
            build: declares the target's own resources with this component as their parent.
        """
        inputs = {
            "database": instance.database,
            "extensions": list(instance.extensions),
            "marker": instance.marker,
        }
        super().__init__("sigmasight:infra:PostgresInstance", instance.name, inputs, opts)
        place = build(self)
        self.host = Output.from_input(place.host)
        self.port = Output.from_input(place.port)
        self.database = Output.from_input(place.database or instance.database)
        self.owner_url = Output.secret(place.owner_url)
        self.app_url = Output.secret(place.app_url)
        self.register_outputs(
            {
                "host": self.host,
                "port": self.port,
                "database": self.database,
                "owner_url": self.owner_url,
                "app_url": self.app_url,
            }
        )


@dataclass(frozen=True)
class BackendInputs:
    """What the backend is configured with.

    Attributes:
        pair: whose addresses these are; `gate` are those of both pairs, of which Core says from
            moment to moment which is served.
        settings: further environment variables.
    """

    pair: Literal["new", "gate"]
    database_url: Input[str]
    ai_database_url: Input[str]
    settings: Mapping[str, Input[str]]


def inputs_at_gate(
    database_url: Input[str],
    ai_database_url: Input[str],
    legacy_database_url: Output[str] | None,
    config: StackConfig,
    settings: Mapping[str, Input[str]],
) -> BackendInputs:
    """What a backend is told that is deployed once and serves either pair: the addresses of all
    databases, whichever is active; those of the new pair alone where there is no old one."""
    told = {**settings, "ENVIRONMENT": "production", "SECRET_KEY": backend_key(config)}
    told["BACKEND_REPLICAS"] = str(config.replicas())
    if legacy_database_url is None:
        return BackendInputs("new", database_url, ai_database_url, told)
    if (schema := config.optional_text(LEGACY_SCHEMA)) is not None:
        legacy_database_url = legacy_database_url.apply(
            lambda url: conninfo(within_schema(parse_database_url(url), schema))
        )
    told["LEGACY_DATABASE_URL"] = legacy_database_url
    return BackendInputs("gate", database_url, ai_database_url, told)


class Backend(ComponentResource):
    """The backend's configuration, and what starts it.

    Attributes:
        environment: its environment variables, addresses included; secret as a whole.
        start_command: what a shell runs in its container or folder.
        url: where users reach it, if it is a container of the stack.
    """

    environment: Output[dict[str, str]]
    start_command: Output[str]

    def __init__(
        self,
        inputs: BackendInputs,
        build: Callable[["Backend"], None] | None = None,
        opts: ResourceOptions | None = None,
        *,
        url: str | None = None,
    ) -> None:
        """Declare the backend.

        Args:
            build: declares what the target runs it in, with this component as its parent.
        """
        # The addresses are secret: whose they are is what a plan shows of a change.
        super().__init__("sigmasight:infra:Backend", "backend", {"pair": inputs.pair}, opts)
        variables = {
            **inputs.settings,
            "ACTIVE_PAIR": inputs.pair,
            "DATABASE_URL": inputs.database_url,
            "AI_DATABASE_URL": inputs.ai_database_url,
        }
        self.environment = Output.secret(Output.all(**variables))
        self.start_command = Output.from_input(START_COMMAND)
        self.url = url
        if build is not None:
            build(self)
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
        places = {
            name: {"host": found.host, "port": found.port, "database": found.database}
            for name, found in self.instances.items()
        }
        pulumi.export("databases", places)
        pulumi.export("backend_environment", self.backend.environment)
        pulumi.export("backend_start_command", self.backend.start_command)
        pulumi.export("backend_url", self.backend.url)
