"""Drives the engine from Python: the same program as `pulumi up`, on a stack of our own."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import psutil
import yaml
from pulumi.automation import LocalWorkspace, OutputMap, PulumiCommand, Stack, UpdateSummary
from pulumi.automation._stack import StackInitMode

from app.chain_folders import PROJECT_ROOT
from infra.docker_daemon import DEFAULT_PROVIDER, docker_daemon, remove_container
from infra.engine_events import Change, EventRecord
from infra.engine_failures import explained
from infra.program import declare
from infra.pulumi_cli import engine_environment, find_cli, login_elsewhere, own_backend, own_folder
from infra.stack_config import PROJECT, stack_target
from infra.stack_secrets import SECRET_KEY, secrets_to_set
from infra.topology import Presence, Topology
from ops.books.active_pair import Pair
from ops.books.declared_stack import Target, declared
from ops.embedded.databases import Name
from ops.errors import BusyError, ConfigurationError
from ops.state_folder import StateFolder

# A provider that compares with what was recorded would never bring back a container or service that
# has gone: the engine looks first. That of embedded servers always looks.
_BLIND: tuple[Target, ...] = ("docker", "railway")


# The resources that an operation has left, or would leave, other than they were.
Changes = tuple[Change, ...]


class _QuickStack(Stack):
    """After each operation the SDK starts the command line three times more to read back outputs
    and history. Nobody asks for them there, and it is half of the time of a change-free `up`."""

    def outputs(self) -> OutputMap:
        return {}

    def info(self, show_secrets: bool = True) -> UpdateSummary:
        return UpdateSummary("", datetime.min, "", {}, {}, "")


@dataclass
class DrivenStack:
    """A stack and the engine that works on it.

    Stack, configuration and passphrase live in the state folder. Where PULUMI_BACKEND_URL says
    where else, or `pulumi up` has brought the stack up, it is the one that `pulumi` itself works on
    in the project's folder.

    Attributes:
        target: None to have the stack's own configuration decide.
        name: of the stack; by default its target's.
        log: is told the engine's changes, a line each.
        given: addresses of an external stack, by the configuration key that holds each.
        login: where the engine keeps its state, if not in the state folder.
    """

    state: StateFolder
    target: Target | None
    name: str
    log: Callable[[str], None]
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    login: str | None = field(init=False)
    _opened: Stack | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.login = login_elsewhere(self.state, self.name)

    def up(self) -> Changes:
        """Make what is declared.

        Raises:
            SigmaSightError: it failed; what is done stays done, and the next run goes on.
        """
        look, anew = self._looks()
        self._forget_half_made()
        return self._operate(
            lambda stack, record: stack.up(on_event=record.take, refresh=look, run_program=anew)
        )

    def preview(self) -> Changes:
        """What `up` would do. Changes nothing but the stack's configuration, which gets what it
        lacks."""
        look, anew = self._looks()
        return self._operate(
            lambda stack, record: stack.preview(
                on_event=record.take, refresh=look, run_program=anew
            )
        )

    def refresh(self) -> Changes:
        """Look at what is there, and record it."""
        return self._operate(lambda stack, record: stack.refresh(on_event=record.take))

    def destroy(self) -> Changes:
        """Remove what is declared. Refused, before anything is touched, while it is protected."""
        return self._operate(lambda stack, record: stack.destroy(on_event=record.take))

    def unprotect(self, database: Name) -> None:
        """Let the next `up` that no longer declares a database remove it, or `destroy`."""
        with explained(EventRecord(self.log)):
            for resource in self.export().get("resources", []):
                if resource.get("protect") and _component(resource) == database:
                    self._cli(["state", "unprotect", resource["urn"], "--yes"])

    def configure(self, **values: str) -> None:
        """Set plain values of the stack's configuration, all at once: a kill leaves the old ones
        or the new ones."""
        pairs = [f"{PROJECT}:{key}={value}" for key, value in values.items()]
        with self._rewritten() as part:
            plain = [f"--plaintext={pair}" for pair in pairs]
            self._cli(["config", "set-all", *plain, "--config-file", str(part)])

    def forget(self, *keys: str) -> None:
        """Remove values from the stack's configuration, where they are there."""
        known = self.configuration()
        words = [f"{PROJECT}:{key}" for key in keys if key in known]
        if words:
            with self._rewritten() as part:
                self._cli(["config", "rm-all", *words, "--config-file", str(part)])

    def configure_secret(self, key: str, value: str) -> None:
        """Set a secret of the stack's configuration; it is never a word of a command line."""
        command = [self._stack().workspace.pulumi_command.command, "config", "set", "--secret"]
        named = ["--stack", self.name, f"{PROJECT}:{key}", "--config-file"]
        with self._rewritten() as part:
            words = [*command, *named, str(part)]
            done = self.run(words, input=value, capture_output=True, text=True)
            if done.returncode:
                raise ConfigurationError(f"the stack's secret {key} could not be set")

    def configuration(self) -> dict[str, str]:
        """The stack's configuration by key, secrets in the clear."""
        with explained(EventRecord(self.log)):
            printed = self._cli(["config", "--json", "--show-secrets"])
        prefix = f"{PROJECT}:"
        found = {key: entry.get("value") for key, entry in json.loads(printed).items()}
        return {key.removeprefix(prefix): str(value) for key, value in found.items()}

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in the clear."""
        with explained(EventRecord(self.log)):
            printed = self._cli(["stack", "output", "--json", "--show-secrets"])
        return cast(dict[str, Any], json.loads(printed))

    def export(self) -> dict[str, Any]:
        """The recorded state, secrets encrypted."""
        # The SDK's own export asks for the secrets in the clear.
        with explained(EventRecord(self.log)):
            printed = self._cli(["stack", "export"])
        return cast(dict[str, Any], json.loads(printed)["deployment"])

    def run(
        self, command: Sequence[str], told: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[Any]:
        """Run a command where the stack's files are, told what the engine is told."""
        self._prepare_folder()
        environment = {**os.environ, **self._environment(), **(told or {})}
        return subprocess.run(command, cwd=self._folder(), env=environment, **options)

    def _looks(self) -> tuple[bool, bool]:
        """Whether the engine looks first, and whether with a provider that is told what the program
        says now, not what it was told before: a daemon may have moved."""
        if self._complete_configuration() not in _BLIND:
            return False, False
        urns = [resource["urn"] for resource in self.export().get("resources", [])]
        # The engine panics where a provider takes another's place while it looks.
        return True, not any(urn.endswith(f"::{DEFAULT_PROVIDER}") for urn in urns)

    def _complete_configuration(self) -> Target:
        """Secrets that are missing; embedded servers have theirs in the state folder. The stack's
        target."""
        if self.target == "embedded":
            return self.target
        known = self.configuration()
        topology = Topology(
            target=cast(Target, known.get("target") or self.target or self.name),
            legacy=cast(Presence, known.get("legacy", "present")),
            active=cast(Pair, known.get("active", "old")),
        )
        shared = topology.target in ("docker", "railway")  # a host or project of others too
        if shared and SECRET_KEY not in known and not known.get("identity"):
            self.configure(identity=secrets.token_hex(4))  # new: nothing has an older name
        for key, value in secrets_to_set(topology, known, self.given).items():
            self.configure_secret(key, value)
        return topology.target

    def _forget_half_made(self) -> None:
        """Have the engine forget what an engine that was killed was making. A server of ours is
        adopted by the next; a container would be in the way of the one that is made instead."""
        pending = self.export().get("pending_operations") or []
        if not pending:
            return
        self._operate(
            lambda stack, record: stack.refresh(on_event=record.take, clear_pending_creates=True)
        )
        known = self.configuration()
        with docker_daemon(lambda key: known.get(f"docker:{key}")) as daemon:
            for operation in pending if daemon is not None else ():
                remove_container(daemon, operation["resource"], self.log)

    @contextmanager
    def _rewritten(self) -> Iterator[Path]:
        """A copy of the stack's file, which takes its place once the block has changed it: the
        command line empties a file before it fills it, and holds in it what opens the secrets."""
        self._stack()
        file = self._folder() / f"Pulumi.{self.name}.yaml"
        part = file.with_name(f".{self.name}.part.yaml")
        with self.state.lock("stack"), explained(EventRecord(self.log)):
            shutil.copy2(file, part)
            yield part
            _settle(part)
            part.replace(file)

    def _cli(self, arguments: list[str]) -> str:
        done = self._stack().workspace.pulumi_command.run(
            [*arguments, "--stack", self.name],
            str(self._folder()),
            self._environment(),
        )
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return engine_environment(self.state, self.login)

    def _operate(self, work: Callable[[Stack, EventRecord], object]) -> Changes:
        try:
            return self._attempt(work)
        except BusyError:
            if not self._forget_dead_locks():
                raise
        return self._attempt(work)

    def _attempt(self, work: Callable[[Stack, EventRecord], object]) -> Changes:
        record = EventRecord(self.log)
        with explained(record):
            work(self._stack(), record)
        return tuple(record.changes)

    def _stack(self) -> Stack:
        """Opened once; made where it is missing."""
        if self._opened is None:
            self._opened = self._open(find_cli())
        return self._opened

    def _open(self, cli: PulumiCommand) -> Stack:
        self._prepare_folder()
        self._prepare_stack()
        workspace = LocalWorkspace(
            work_dir=str(self._folder()),
            program=partial(declare, self.state, self.target, self.login),
            env_vars=self._environment(),
            pulumi_command=cli,
        )
        with explained(EventRecord(self.log)):
            return _QuickStack(self.name, workspace, StackInitMode.CREATE_OR_SELECT)

    def _folder(self) -> Path:
        """Where the project's and the stack's files are."""
        if self.login:
            return PROJECT_ROOT
        return own_folder(self.state) / "project"

    def _prepare_folder(self) -> None:
        folder = self._folder()
        if folder != PROJECT_ROOT:
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / "Pulumi.yaml").write_text(_standing_elsewhere())

    def _prepare_stack(self) -> None:
        """The configuration of a stack, once it is there, is never overwritten."""
        stack_file = self._folder() / f"Pulumi.{self.name}.yaml"
        if not stack_file.exists():
            stack_file.write_text(f"config:\n  {PROJECT}:target: {self._first_target()}\n")

    def _first_target(self) -> Target:
        if found := self.target or stack_target(self.name):
            return found
        raise ConfigurationError(
            f"there is no stack {self.name} yet; say what it is by --target embedded, docker, "
            "external or railway"
        )

    def _forget_dead_locks(self) -> bool:
        """Whether locks were left by processes of this machine that are gone. Only for our own
        backend: nobody else can have taken them."""
        if self.login:
            return False
        root = Path(own_backend(self.state).removeprefix("file://"))
        locks = list(root.glob(f".pulumi/locks/*/{PROJECT}/{self.name}/*.json"))
        if not locks or not all(_is_dead(lock) for lock in locks):
            return False
        for lock in locks:
            lock.unlink(missing_ok=True)
            lock.with_name(f"{lock.name}.attrs").unlink(missing_ok=True)
        return True


def run_cli(state: StateFolder, stack: str | None, words: Sequence[str]) -> int:
    """Run the command line as a person does, on the stacks of the state folder.

    Args:
        stack: by default the one that was brought up last, else the only one that was begun.

    Raises:
        ConfigurationError: nothing was declared here yet.
    """
    begun = [
        file.stem.partition(".")[2] for file in state.root.glob("pulumi/project/Pulumi.*.yaml")
    ]
    stack = stack or declared(state).name or (begun[0] if len(begun) == 1 else None)
    driven = DrivenStack(state, None, stack or "", lambda _line: None)
    if not driven.login and not begun:
        raise ConfigurationError("no stack was declared here yet; run `sigmasight up --target …`")
    told = {"PULUMI_STACK": stack} if stack else {}
    return driven.run([find_cli().command, *words], told).returncode


def _settle(path: Path) -> None:
    """Have a file's content on the disk before its name says so."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _component(resource: Mapping[str, Any]) -> str:
    """The name of the component that a resource belongs to."""
    return str(resource.get("parent") or resource["urn"]).rsplit("::", 1)[-1]


def _is_dead(lock: Path) -> bool:
    """Whether the holder of a lock was a process of this machine that has ended, even if its
    number has been given to another since."""
    try:
        holder = json.loads(lock.read_text())
        if holder["hostname"] != socket.gethostname():
            return False
        process = psutil.Process(holder["pid"])
        ended = process.status() == psutil.STATUS_ZOMBIE
        return ended or process.create_time() > lock.stat().st_mtime
    except psutil.NoSuchProcess:
        return True
    except (OSError, ValueError, KeyError, psutil.Error):
        return False


def _standing_elsewhere() -> str:
    """The project's settings for another folder: what is relative in them is made absolute."""
    settings = yaml.safe_load((PROJECT_ROOT / "Pulumi.yaml").read_text())
    settings["main"] = str(PROJECT_ROOT)
    settings["runtime"]["options"]["virtualenv"] = sys.prefix
    for provider in settings["plugins"]["providers"]:
        provider["path"] = str(PROJECT_ROOT / provider["path"])
    return str(yaml.safe_dump(settings))
