"""The `sigmasight` command in processes of their own, without an import of Prefect for each.

A fork server imports everything once; each command is a fork of it, with its own environment,
folder, output and process group. What a command does and how it ends is what the installed script
does; `tests/acceptance/test_rebuild.py` runs that one.
"""

import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from flows.prefect_server import PrefectServer

COMMAND_SECONDS = 120.0
_PRELOADED = ["tests.acceptance.preloaded"]


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("error: ")]

    def __str__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


@dataclass(frozen=True)
class Pause:
    """A point at which a command stops: the `call`-th call of a function.

    Attributes:
        function: "package.module:name", where the function is looked up when it is called.
        after: whether to stop after the function has done its work rather than before.
    """

    function: str
    call: int
    folder: Path
    after: bool = False

    @property
    def reached(self) -> Path:
        return self.folder / "reached"

    @property
    def resumed(self) -> Path:
        return self.folder / "resumed"

    def install(self) -> None:
        module_name, _, path = self.function.partition(":")
        owner: Any = importlib.import_module(module_name)
        *classes, name = path.split(".")
        for one in classes:
            owner = getattr(owner, one)
        setattr(owner, name, self._pausing(getattr(owner, name)))

    def _pausing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        calls = 0

        def paused(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            stops = calls == self.call
            if stops and not self.after:
                self._wait()
            result = function(*arguments, **options)
            if stops and self.after:
                self._wait()
            return result

        return paused

    def _wait(self) -> None:
        self.reached.touch()
        while not self.resumed.exists():
            time.sleep(0.01)


@dataclass
class Running:
    """A command that has been started."""

    process: BaseProcess
    outputs: tuple[Path, Path]

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def wait_for(self, path: Path) -> None:
        """Until the command has made the file `path`; fails if it ends without."""
        deadline = time.monotonic() + COMMAND_SECONDS
        while not path.exists():
            if not self.process.is_alive() and not path.exists():
                raise AssertionError(f"the command ended early: {self.outcome()}")
            assert time.monotonic() < deadline, f"{path} never came"
            time.sleep(0.005)

    def kill(self) -> None:
        """SIGKILL to the command and whatever it started in its process group."""
        os.killpg(self.pid, signal.SIGKILL)
        self.process.join()

    def outcome(self) -> Outcome:
        self.process.join(COMMAND_SECONDS)
        assert self.process.exitcode is not None, "the command does not end"
        out, err = (path.read_text() for path in self.outputs)
        return Outcome(self.process.exitcode, out, err)


def sigmasight() -> None:
    """What the installed script does."""
    from flows.cli import main

    main()


@dataclass
class CommandLine:
    """Runs commands against one Prefect server.

    Attributes:
        folder: each command finds itself in a new folder below it, beside its own output.
        program: what a command runs; its words are in `sys.argv`.
    """

    prefect: PrefectServer
    folder: Path
    program: Callable[[], None] = sigmasight
    _count: int = field(default=0, init=False)

    def run(self, *words: str, **environment: str | Path) -> Outcome:
        """Run a command to its end."""
        return self.start(words, environment).outcome()

    def start(
        self,
        words: tuple[str, ...],
        environment: Mapping[str, str | Path],
        pause: Pause | None = None,
    ) -> Running:
        """Start a command; `environment` is all it sees beside PATH and the Prefect server."""
        self._count += 1
        here = self.folder / f"command-{self._count}"
        here.mkdir(parents=True)
        outputs = (here / "stdout", here / "stderr")
        seen = {**self._environment(), **{name: str(v) for name, v in environment.items()}}
        context = _fork_context(self._environment())
        process = context.Process(
            target=_command, args=(self.program, words, seen, here, outputs, pause)
        )
        process.start()
        return Running(process, outputs)

    def _environment(self) -> dict[str, str]:
        assert self.prefect.api_url is not None  # it runs
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PREFECT_API_URL": self.prefect.api_url,
            "PREFECT_HOME": str(self.folder / "prefect"),
        }


def _fork_context(environment: Mapping[str, str]) -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    with _set(environment):
        forkserver.ensure_running()
    return context


@contextmanager
def _set(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _command(
    program: Callable[[], None],
    words: tuple[str, ...],
    environment: dict[str, str],
    folder: Path,
    outputs: tuple[Path, Path],
    pause: Pause | None,
) -> None:
    os.setsid()
    # As at a terminal; a shell that starts the tests in the background has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in zip((1, 2), outputs, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = ["sigmasight", *words]
    if pause is not None:
        pause.install()
    program()
