"""The Pulumi program run without engine or provider: what it declares, and with which options.

`pulumi.runtime.mocks` answers in the engine's place. What is recorded is what the program sends to
the engine, with its marks of secrecy, not what the mock answers.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pulumi.runtime import configure, mocks, rpc, set_all_config
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.stack import run_in_stack

from infra.policies.rules import Declared, Hidden
from ops.state_folder import StateFolder

STACK = "docker"
IMAGE_ID = "sha256:" + "1" * 64
_STACK_TYPE = "pulumi:pulumi:Stack"
BUILT_ID = "sha256:" + "2" * 64


@dataclass(frozen=True)
class Recorded:
    """A resource as the program registered it.

    Attributes:
        inputs: plain values, and `Hidden` around what is secret.
        parent: the name of its parent; None for a resource of the stack itself.
        provider: the name of the one that it is told to use, if any.
        dependencies: the names of what it waits for.
    """

    type: str
    name: str
    inputs: Mapping[str, Any]
    parent: str | None
    provider: str | None
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    replace_on_changes: tuple[str, ...]
    dependencies: frozenset[str]

    def declared(self) -> Declared:
        """The same as the policy rules take it."""
        return Declared(
            self.type,
            self.name,
            self.inputs,
            self.protect,
            self.retain_on_delete,
            secrets_visible=True,
        )


@dataclass
class Program:
    """What one run of the program declared.

    Attributes:
        warnings: what it said to its user.
    """

    resources: dict[tuple[str, str], Recorded] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    component_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def one(self, type_: str, name: str) -> Recorded:
        """The resource of a type and name."""
        return self.resources[type_, name]

    def of_type(self, type_: str) -> list[Recorded]:
        """All resources of a type."""
        return [found for found in self.resources.values() if found.type == type_]


class _Answers(Mocks):
    """What providers would compute."""

    def __init__(self, computed: Mapping[str, Mapping[str, Any]]) -> None:
        self._computed = computed

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = {**args.inputs, **self._computed.get(args.typ, {})}
        if "vector_version" in state and "vector" not in args.inputs["extensions"]:
            state["vector_version"] = None
        return f"{args.name}-id", state

    def call(self, args: MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the program looks something up: {args.token}")


class _Recorder(MockMonitor):
    """Keeps each registration before it is answered."""

    def __init__(self, answers: Mocks, program: Program) -> None:
        super().__init__(answers)
        self._program = program
        # The mock makes one for each thread that it is called in, and leaves it open.
        self.loops: set[asyncio.AbstractEventLoop] = set()

    def RegisterResource(self, request: Any) -> Any:
        if request.type == _STACK_TYPE:
            return super().RegisterResource(request)
        self._record(request)
        answer = super().RegisterResource(request)
        self.loops.add(asyncio.get_event_loop())
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:
        outputs = {key: readable(value) for key, value in _raw(request.outputs).items()}
        if _own_type(request.urn) == _STACK_TYPE:
            self._program.outputs.update(outputs)
        else:
            self._program.component_outputs[_name(request.urn)] = outputs
        return super().RegisterResourceOutputs(request)

    def _record(self, request: Any) -> None:
        key = (request.type, request.name)
        assert key not in self._program.resources, f"{request.name} is declared twice"
        self._program.resources[key] = Recorded(
            type=request.type,
            name=request.name,
            inputs={key: readable(value) for key, value in _raw(request.object).items()},
            parent=_parent(request.parent),
            provider=_name(request.provider.rpartition("::")[0]) if request.provider else None,
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            delete_before_replace=request.deleteBeforeReplace,
            replace_on_changes=tuple(request.replaceOnChanges),
            dependencies=frozenset(_name(urn) for urn in request.dependencies),
        )


class _Listener(mocks.MockEngine):
    """Keeps warnings."""

    def __init__(self, program: Program) -> None:
        super().__init__(None)
        self._program = program

    def Log(self, request: Any) -> None:
        if request.severity >= engine_pb2.WARNING:
            self._program.warnings.append(request.message)


def _raw(struct: Any) -> dict[str, Any]:
    return dict(rpc.deserialize_properties(struct))


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[1]


def _parent(urn: str) -> str | None:
    return None if not urn or _own_type(urn) == _STACK_TYPE else _name(urn)


def _own_type(urn: str) -> str:
    return urn.split("::")[2].rsplit("$", 1)[-1]


def readable(value: Any) -> Any:
    """A value with `Hidden` around its secret parts."""
    if rpc.is_rpc_secret(value):
        return Hidden(readable(rpc.unwrap_rpc_secret(value)))
    if isinstance(value, dict):
        return {key: readable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [readable(part) for part in value]
    return value


def _full(key: str) -> str:
    return key if ":" in key else f"sigmasight:{key}"


def run_program(
    config: Mapping[str, str],
    secrets: Mapping[str, str],
    declare: Callable[[StateFolder], None],
    vector_version: str = "0.8.6",
    *,
    state: StateFolder | None = None,
    stack: str = STACK,
    dry_run: bool = False,
) -> Program:
    """Run `declare` as the engine would, and return what it declared.

    Args:
        config: plain keys of the project, or with the name of a provider's before a colon.
        secrets: secret keys likewise.
        state: by default one that is gone afterwards.
    """
    program = Program()
    computed = {
        "docker:index/remoteImage:RemoteImage": {"imageId": IMAGE_ID},
        "docker:index/image:Image": {"repoDigest": BUILT_ID},
        "pulumi-python:dynamic/infra:Provisioning": {
            "vector_version": vector_version,
            "system_identifier": "7412",
        },
        "pulumi-python:dynamic/infra:RailwayService": {
            "host": "a.proxy.rlwy.net",
            "proxy_port": 15140,
            "deployment": "deployment-1",
        },
    }
    answers = _Answers(computed)
    given = {_full(key): value for key, value in {**config, **secrets}.items()}
    set_all_config(given, [_full(key) for key in secrets])
    recorder = _Recorder(answers, program)
    settings = mocks.MockSettings(
        monitor=recorder,
        engine=_Listener(program),
        project="sigmasight",
        stack=stack,
        dry_run=dry_run,
        organization=None,
    )
    configure(settings)
    try:
        with TemporaryDirectory() as folder:
            home = state or StateFolder(Path(folder) / "home")
            asyncio.run(run_in_stack(partial(declare, home)))
    finally:
        for loop in recorder.loops:
            loop.close()
    return program
