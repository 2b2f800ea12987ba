"""Roles, database, extensions and schema ops, made over TCP in a server that is healthy.

Not by init scripts of the image: those run on an empty volume only. As a resource of the stack, it
is done before the backend starts, again when a container or a password is new; idempotent.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from psycopg import sql
from pulumi import Input, Output, ResourceOptions, dynamic
from sqlalchemy.engine import URL

from infra.docker.passwords import InstancePasswords
from infra.stack_config import PROJECT
from ops.connection import connect, first_value
from ops.drift.comparison import SAFE_VECTOR_VERSION
from ops.embedded.databases import SPECS, Name
from ops.embedded.server import SUPERUSER
from ops.errors import ConfigurationError, DatabaseUnavailableError
from ops.provision import DatabaseSpec, Passwords, provision

REACH_SECONDS = 60.0
_INPUTS = (
    "instance",
    "host",
    "port",
    "database",
    "marker",
    "extensions",
    "superuser_password",
    "owner_password",
    "app_password",
    "readonly_password",
    "container",
    "accepted_server",
    "sslmode",
)


@dataclass(frozen=True)
class Server:
    """A server as its superuser reaches it."""

    host: str
    port: int
    password: str = field(repr=False)
    sslmode: str | None = None

    def url(self, database: str) -> URL:
        """The superuser's address of a database."""
        driver, query = "postgresql+psycopg", {"sslmode": self.sslmode} if self.sslmode else {}
        return URL.create(driver, SUPERUSER, self.password, self.host, self.port, database, query)


class ProvisioningProvider(dynamic.ResourceProvider):
    """Runs `ops.provision` for the engine, in a process of its own: it holds nothing."""

    # There is nothing in it to hide; its inputs are secret one by one.
    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Another container or password asks for an update, and so does a server that is not
        known yet; nothing asks for a replacement."""
        changed = any(_comparable(olds, key) != _comparable(news, key) for key in _INPUTS)
        return dynamic.DiffResult(changes=changed or not olds.get("system_identifier"))

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make what is missing, on a new volume or on one with data."""
        return dynamic.CreateResult(f"{props['database']}", _provisioned(props, {}))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """The same again; where the superuser's password is new, logged in with the old one.
        A server with another system identifier is refused before anything is made in it."""
        return dynamic.UpdateResult(_provisioned(news, olds))


def _comparable(props: Mapping[str, Any], key: str) -> Any:
    # Numbers come back from the engine as floats; one that is not known yet is no number.
    found = props.get(key)
    return int(found) if isinstance(found, float) else found


def _provisioned(props: Mapping[str, Any], olds: Mapping[str, Any]) -> dict[str, Any]:
    port, password = int(props["port"]), props["superuser_password"]
    server = Server(props["host"], port, password, props.get("sslmode"))
    admitted = admitted_server(server, olds.get("superuser_password"))
    identifier = _known_identifier(admitted, props, olds.get("system_identifier"))
    if admitted != server:
        set_superuser_password(admitted, server.password)
    marker, database = props["marker"], props["database"]
    spec = DatabaseSpec(database, marker or None, tuple(props["extensions"]))
    passwords = Passwords(
        props["owner_password"], props["app_password"], props["readonly_password"]
    )
    provision(server.url, spec, passwords)
    found = {
        "vector_version": vector_version(server.url(database)),
        "system_identifier": identifier,
    }
    return {**{key: props.get(key) for key in _INPUTS}, **found}


def _known_identifier(server: Server, props: Mapping[str, Any], known: str | None) -> str:
    """The identifier that `initdb` gave the server's data.

    Raises:
        ConfigurationError: other data were served before, and nobody has said that these replace
            them.
    """
    with connect(server.url("postgres"), application_name="provision", read_only=True) as session:
        found = str(first_value(session, "SELECT system_identifier FROM pg_control_system()"))
    if known not in (None, found) and props.get("accepted_server") != found:
        name = props["instance"]
        raise ConfigurationError(
            f"{name} has other data than before (server {found}, not {known}); set back what was "
            f"changed (databaseDataPath, databaseImage, the volume), or, if it was restored or "
            f"upgraded, `pulumi config set {PROJECT}:{name}AcceptedServer {found}`"
        )
    return found


def admitted_server(server: Server, previous: str | None) -> Server:
    """Wait for the server, and find which superuser's password it accepts.

    An image sets that password on an empty volume only. On a volume with data the password of
    before still holds.

    Args:
        previous: the password that the stack had before, if any.

    Raises:
        ConfigurationError: neither password is accepted: the volume was made by another stack.
        DatabaseUnavailableError: nothing answers within a minute.
    """
    try:
        _wait(server)
    except ConfigurationError as refusal:
        if previous is None or previous == server.password:
            raise ConfigurationError(
                f"the volume of {server.host}:{server.port} was made with another superuser "
                "password; set the …SuperuserPassword of the stack to that one, run again, "
                "and rotate it afterwards"
            ) from refusal
        return replace(server, password=previous)
    return server


def set_superuser_password(server: Server, password: str) -> None:
    """Exchange the superuser's password; the server sees only its verifier."""
    url = server.url("postgres")
    with connect(url, application_name="rotate", autocommit=True) as connection:
        verifier = connection.pgconn.encrypt_password(
            password.encode(), SUPERUSER.encode(), b"scram-sha-256"
        ).decode()
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                sql.Identifier(SUPERUSER), sql.Literal(verifier)
            )
        )


def _wait(server: Server) -> None:
    """Log in; a published port may need a moment after its container is healthy."""
    deadline = time.monotonic() + REACH_SECONDS
    while True:
        try:
            with connect(server.url("postgres"), application_name="provision"):
                return
        except DatabaseUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def vector_version(url: URL) -> str | None:
    """The version of the vector extension in a database, or None where it has none."""
    with connect(url, application_name="provision", read_only=True) as connection:
        query = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        version: str | None = first_value(connection, query)
    return version


def vector_warning(instance: str, version: str | None) -> str | None:
    """What is to be said of an extension that is too old, if anything."""
    if version is None or _number(version) >= _number(SAFE_VECTOR_VERSION):
        return None
    return (
        f"{instance} has pgvector {version}; before {SAFE_VECTOR_VERSION} a vacuum can corrupt an "
        "HNSW index, and before 0.8.2 a parallel build of one overflows a buffer (CVE-2026-3172), "
        "so it is built by one process; use a newer databaseImage"
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


@dataclass(frozen=True)
class ProvisioningArgs:
    """What provisioning is told of a server.

    Attributes:
        container: the id of the server's container; another one is provisioned again.
        accepted_server: the system identifier of restored or upgraded data, if there are any.
        sslmode: what is asked of a connection to a host, if anything.
    """

    database: Name
    host: Input[str]
    port: Input[int]
    passwords: InstancePasswords
    container: Input[str]
    accepted_server: str | None = None
    sslmode: Callable[[str], str] | None = None


class Provisioning(dynamic.Resource, module="infra", name="Provisioning"):
    """What a server needs before the chains run, as a resource.

    Attributes:
        vector_version: of the vector extension; None where the database has none.
        system_identifier: what `initdb` gave the data; other data are refused.
    """

    vector_version: Output[str | None]
    system_identifier: Output[str]

    def __init__(self, name: str, args: ProvisioningArgs, opts: ResourceOptions) -> None:
        """Declare it for a server."""
        spec = SPECS[args.database]
        declared: dict[str, Any] = {
            "instance": args.database,
            "host": args.host,
            "port": args.port,
            "database": spec.database,
            "marker": spec.marker or "",
            "extensions": list(spec.extensions),
            "superuser_password": args.passwords.superuser,
            "owner_password": args.passwords.owner,
            "app_password": args.passwords.app,
            "readonly_password": args.passwords.readonly,
            "container": args.container,
            "accepted_server": args.accepted_server or "",
        }
        if args.sslmode is not None:
            declared["sslmode"] = Output.from_input(args.host).apply(args.sslmode)
        computed = {"vector_version": None, "system_identifier": None}
        super().__init__(ProvisioningProvider(), name, {**declared, **computed}, opts)
