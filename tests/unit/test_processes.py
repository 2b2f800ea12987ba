"""Processes that outlive their command: told from strangers, and ended; and the wait for them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ops.processes import ManagedProcess, end, identity_of, is_known_to_be_gone, lives
from ops.state_folder import StateFolder
from ops.waiting import wait_until

# Starts a child, says its number, and neither of them ends when asked.
_STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    print(os.getpid(), flush=True)
time.sleep(600)
"""

_LONE = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[ManagedProcess]:
    process = ManagedProcess(StateFolder(tmp_path), "it", _STUBBORN, ("HOME_OF_IT", str(tmp_path)))
    process.start([sys.executable, "-c", _STUBBORN], os.environ, port=7)
    assert wait_until(lambda: process.log.read_text(), 20)
    yield process
    process.stop(0.1)


def test_one_that_does_not_end_is_killed_with_what_it_started(stubborn: ManagedProcess) -> None:
    process = stubborn.find()
    assert process is not None
    assert stubborn.document == {"port": 7, "pid": process.pid}
    assert stubborn.log.stat().st_mode & 0o077 == 0
    family = [process, *process.children()]
    assert len(family) == 2
    assert stubborn.stop(0.1)
    assert not any(lives(each) for each in family)
    assert (stubborn.find(), stubborn.stop(0.1)) == (None, False)


def test_one_that_has_started_nothing_may_get_less_time(stubborn: ManagedProcess) -> None:
    lone = replace(stubborn, name="lone", word=_LONE)
    lone.start([sys.executable, "-c", _LONE], os.environ)
    assert wait_until(lambda: lone.log.read_text(), 20)
    assert lone.stop(600, alone=0.1)
    assert stubborn.stop(0.1, alone=600)
    assert (lone.find(), stubborn.find()) == (None, None)


@pytest.mark.parametrize(
    ("word", "told"),
    [("another program", None), (_STUBBORN, ("HOME_OF_IT", "another")), (_STUBBORN, ("NO", ""))],
)
def test_a_stranger_with_its_number_is_left_alone(
    stubborn: ManagedProcess, word: str, told: tuple[str, str] | None
) -> None:
    other = ManagedProcess(stubborn.state, stubborn.name, word, told or stubborn.told)
    assert (other.find(), other.stop(0.1)) == (None, False)
    assert stubborn.find() is not None


def test_an_identity_is_gone_with_its_process_though_its_number_is_given_again() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        identity = identity_of(process.pid)
        assert not is_known_to_be_gone(identity)
        end([psutil.Process(process.pid)], 20)
    assert is_known_to_be_gone(identity)
    node, pid, _ = identity_of().rsplit(":", 2)
    assert is_known_to_be_gone(f"{node}:{pid}:1.00")
    assert not is_known_to_be_gone(f"elsewhere:{pid}:1.00")


def test_a_wait_ends_with_its_condition_its_time_or_its_hope() -> None:
    def waited(values: list[int], seconds: float, hopeless: bool = False) -> int:
        return wait_until(lambda: values.pop(0), seconds, pause=0.0, unless=lambda: hopeless)

    assert waited([0, 0, 3], 20) == 3
    assert waited([0], 0) == 0
    assert waited([0], 20, hopeless=True) == 0
    assert waited([3], 0, hopeless=True) == 3
