"""The real commands, run on a throw-away place: what is rehearsed is what will run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.errors import SigmaSightError
from ops.processes import HOME, identity_of
from ops.settings import OperatorSettings
from ops.state_folder import private_file

_REHEARSAL = "SIGMASIGHT_REHEARSAL"
_GRACE_SECONDS = 5.0
_LONGEST_SECONDS = 4 * 3600.0
# What the real move is told must not reach the rehearsal's commands; what they need is said anew.
_NEVER_INHERITED = frozenset(OperatorSettings.model_fields) | {"ACTIVE_PAIR"}


class RehearsalStoppedError(SigmaSightError):
    """A step of the rehearsal failed. The real databases were not touched."""


def rehearsing() -> bool:
    """Whether this process acts on throw-away instances. What others share with the real move (the
    schedule of its cleanup) is then left alone."""
    return os.environ.get(_REHEARSAL) == "1"


@dataclass(frozen=True)
class RanCommand:
    """A step that was taken.

    Attributes:
        words: what `sigmasight` was told; empty for a step that is no command.
        process: node, number and start of its process, by which its runs are found in the history.
    """

    name: str
    words: tuple[str, ...]
    seconds: float
    code: int
    process: str


@dataclass(frozen=True)
class Stage:
    """Where commands are run.

    Attributes:
        place: their state folder and working folder, so that no `.env` of the real move is read.
        told: variables beyond what every command inherits.
        log: takes what they say.
    """

    place: Path
    told: Mapping[str, str]
    log: Path

    def run(self, name: str, *words: str) -> RanCommand:
        """Run `sigmasight WORDS…` to its end.

        Raises:
            RehearsalStoppedError: it failed; the message names the step and the log.
        """
        with open(self.log, "a", opener=private_file) as log:
            log.write(f"\n=== {name}: sigmasight {' '.join(words)}\n")
            log.flush()
            begun = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, "-m", "flows.cli", *words],
                cwd=self.place,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            identity = identity_of(process.pid)
            code = _wait(process)
        ran = RanCommand(name, words, time.monotonic() - begun, code, identity)
        if code != 0:
            raise RehearsalStoppedError(
                f"the rehearsal failed in '{name}': {_last_line(self.log)} (read {self.log})"
            )
        return ran

    def environment(self) -> dict[str, str]:
        """What a command is told: nothing of the real move."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in _NEVER_INHERITED and not name.startswith("PREFECT__")
        }
        return {**inherited, HOME: str(self.place), _REHEARSAL: "1", **self.told}


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the end. When this process is to stop, the command stops first."""
    try:
        return process.wait(_LONGEST_SECONDS)
    except BaseException:
        _stop(process)
        raise


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


def _last_line(log: Path) -> str:
    """The last thing that was said, which of a failed command is its error."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else "it said nothing"
