"""The embedded target: real servers on this machine, declared.

The engine and `sigmasight up` call the same functions, so each adopts what the other made. The
provider below runs in a process of its own, to which the engine hands plain values only: names and
a folder. Passwords stay in that folder and are read there when they are needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi import Output, ResourceOptions, dynamic

from infra.components import Backend, BackendArgs, DeclaredStack, Place, PostgresInstance
from infra.stack_config import StackConfig
from infra.topology import Topology
from ops.connection import conninfo
from ops.embedded.databases import EmbeddedDatabases, LoginRole, Name
from ops.embedded.server import LOOPBACK
from ops.state_folder import StateFolder

_INPUTS = ("instance", "state_folder", "remove_data")


class EmbeddedProvider(dynamic.ResourceProvider):
    """Makes, starts, sees and stops one embedded server.

    Pickled into the state of each resource and run elsewhere: so it holds nothing, and imports
    what it uses where it uses it.
    """

    # There is nothing in it to hide, and a secret provider would hide each plan's details too.
    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        """Refuse a server that is not one of the three."""
        from ops.embedded.databases import NAMES

        failures = []
        if news["instance"] not in NAMES:
            failures.append(dynamic.CheckFailure("instance", f"use one of {', '.join(NAMES)}"))
        return dynamic.CheckResult(news, failures)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """What was declared differently, and also a server that stopped or moved by itself."""
        changed = [key for key in _INPUTS if olds.get(key) != news.get(key)]
        seen = _seen(news)
        drifted = not seen["running"] or seen["port"] != olds.get("port")
        replaces = [key for key in changed if key != "remove_data"]
        return dynamic.DiffResult(changes=bool(changed) or drifted, replaces=replaces)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make the server, or adopt the one that is there, with its data."""
        outputs = _brought_up(props)
        return dynamic.CreateResult(f"{props['state_folder']}#{props['instance']}", outputs)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """What is there: a stopped server is seen as one, a deleted one is gone."""
        if not _databases(props).server(props["instance"]).exists():
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**props, **_seen(props)})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Start a server that is stopped, or make one that was deleted."""
        return dynamic.UpdateResult(_brought_up(news))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Stop the server; its data go only where the stack says removeData."""
        _databases(props).retire(props["instance"], remove_data=bool(props["remove_data"]))


def _databases(props: Mapping[str, Any]) -> EmbeddedDatabases:
    return EmbeddedDatabases(StateFolder(Path(props["state_folder"])))


def _brought_up(props: Mapping[str, Any]) -> dict[str, Any]:
    _databases(props).up((props["instance"],))
    return {**{key: props[key] for key in _INPUTS}, **_seen(props)}


def _seen(props: Mapping[str, Any]) -> dict[str, Any]:
    port = _databases(props).server(props["instance"]).running_port()
    return {"running": port is not None, "port": port}


@dataclass(frozen=True)
class EmbeddedPostgresArgs:
    """What an embedded database is told.

    Attributes:
        state: the state folder that its server lies in.
        remove_data: whether its data go when the server's resource goes.
        protect: whether that is refused.
        earlier: what is there before its server is touched.
    """

    state: StateFolder
    remove_data: bool
    protect: bool
    earlier: Sequence[pulumi.Resource] = ()


class EmbeddedInstance(dynamic.Resource, module="infra", name="EmbeddedInstance"):
    """One embedded server as a resource.

    Attributes:
        port: where it listens on the loopback address.
        running: whether it did when the engine last looked.
    """

    port: Output[int]
    running: Output[bool]

    def __init__(self, name: Name, args: EmbeddedPostgresArgs, opts: ResourceOptions) -> None:
        """Declare the server `name` of a state folder."""
        declared = {
            "instance": name,
            "state_folder": str(args.state.root),
            "remove_data": args.remove_data,
        }
        computed = {"port": None, "running": None}
        super().__init__(EmbeddedProvider(), name, {**declared, **computed}, opts)


class EmbeddedPostgres(PostgresInstance):
    """A database on an embedded server.

    Attributes:
        server: whoever comes after it waits for it.
    """

    def __init__(
        self, name: Name, args: EmbeddedPostgresArgs, opts: ResourceOptions | None = None
    ) -> None:
        """Declare it with its server."""
        super().__init__(name, opts)
        options = ResourceOptions(parent=self, protect=args.protect, depends_on=args.earlier)
        self.server = EmbeddedInstance(name, args, options)
        port = self.server.port
        owner_url = _address(args.state, name, "owner", port)
        self.answers_at(Place(LOOPBACK, port, owner_url, _address(args.state, name, "app", port)))


def declare_embedded(topology: Topology, config: StackConfig) -> DeclaredStack:
    """Declare the servers of the state folder, and the backend that uses them."""
    instances = _declare_instances(topology, config)
    args = BackendArgs(
        pair="gate" if "legacy" in instances else "new",
        database_url=instances["core"].app_url,
        ai_database_url=instances["ai"].app_url,
        settings=_settings(config.state, instances),
    )
    return DeclaredStack(instances, Backend("backend", args))


def _declare_instances(topology: Topology, config: StackConfig) -> Mapping[Name, PostgresInstance]:
    """One after the other, the old database first: a state folder that records Core and AI alone
    is one that was declared without legacy, never one whose making was interrupted."""
    found: dict[Name, EmbeddedPostgres] = {}
    for name in topology.databases:
        args = EmbeddedPostgresArgs(
            config.state,
            remove_data=config.flag("removeData", False),
            protect=config.flag("protect", True),
            earlier=[database.server for database in found.values()],
        )
        found[name] = EmbeddedPostgres(name, args)
    return found


def _address(state: StateFolder, name: Name, role: LoginRole, port: Output[int]) -> Output[str]:
    """The password joins the address here, as a secret; the provider never handles it."""
    databases = EmbeddedDatabases(state)
    return Output.secret(port.apply(lambda _started: conninfo(databases.url(name, role))))


def _settings(
    state: StateFolder, instances: Mapping[Name, PostgresInstance]
) -> dict[str, pulumi.Input[str]]:
    """Migrations run as owner, the backend as app. One key signs the tokens of both pairs, so
    that a login outlives a swap."""
    settings: dict[str, pulumi.Input[str]] = {
        "DATABASE_ADMIN_URL": instances["core"].owner_url,
        "AI_DATABASE_ADMIN_URL": instances["ai"].owner_url,
        "SECRET_KEY": Output.secret(state.secret("backend_secret_key")),
    }
    if "legacy" in instances:
        settings["LEGACY_DATABASE_URL"] = instances["legacy"].app_url
    return settings
