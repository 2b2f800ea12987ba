"""Whoever reads a command's output may leave: the command goes on, and ends as it would have."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect.logging.handlers import PrefectConsoleHandler

from flows.console import write_where_commands_do
from ops.books.cutovers import first_words
from ops.errors import RefusedError

# A real command of several steps, which waits in the first until its reader has left; the last one
# notes that it was reached. The hangup is that of a terminal which went away.
_DOWN = """
import logging, os, signal, sys
from pathlib import Path
from flows import cli
from ops.errors import RefusedError

def reader_leaves(_worker):
    sys.stderr.flush()
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGHUP)
    logging.getLogger("any").warning("a line of somebody else")
    return True

def last(_server):
    Path("reached").touch()
    if refused:
        raise RefusedError("it may not be")

from flows.prefect_server import PrefectServer
from flows.worker import Worker
Worker.stop, PrefectServer.stop = reader_leaves, last
refused, sys.argv = sys.argv[1:], ["sigmasight", "down"]
cli.main()
"""


WAYS = [
    pytest.param(os.pipe, ("stdout", "stderr"), 0, id="both"),
    pytest.param(os.pipe, ("stdout",), 0, id="standard output alone"),
    pytest.param(os.openpty, ("stdout", "stderr"), 0, id="a terminal with bars"),
    pytest.param(os.openpty, ("stdout", "stderr"), 1, id="of a command that is refused"),
]


@pytest.mark.parametrize(("opened", "lost", "code"), WAYS)
def test_a_command_whose_reader_leaves_does_all_and_ends_with_its_own_code(
    tmp_path: Path, opened: Callable[[], tuple[int, int]], lost: tuple[str, ...], code: int
) -> None:
    reader, writer = opened()
    out, err = (writer if one in lost else subprocess.DEVNULL for one in ("stdout", "stderr"))
    process = subprocess.Popen(
        [sys.executable, "-c", _DOWN, *["refused"] * code],
        stdin=subprocess.PIPE,
        env={**os.environ, "SIGMASIGHT_HOME": str(tmp_path), "TERM": "xterm"},
        cwd=tmp_path,
        stdout=out,
        stderr=err,
    )
    os.close(writer)
    if "stderr" in lost:
        assert os.read(reader, 1)  # it has begun to say something
    os.close(reader)
    process.communicate(b"\n", timeout=60)
    assert (process.returncode, (tmp_path / "reached").exists()) == (code, True)


def test_a_flow_goes_on_whose_process_nobody_listens_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that the dashboard started, when the worker has died that reads what it says."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as lost:
        for name in ("stdout", "stderr", "__stderr__"):
            monkeypatch.setattr(sys, name, lost)
        handler = PrefectConsoleHandler(lost)
        logger = logging.getLogger("prefect.flow_runs")
        monkeypatch.setattr(logger, "handlers", [handler])
        write_where_commands_do()
        logger.warning("step: hold")


SAID = [
    (SystemExit(1), "the command was interrupted"),
    (KeyboardInterrupt(), "the command was interrupted"),
    (RefusedError("not swapped: it may not be\nnor ever"), "not swapped: it may not be"),
    (KeyError("rows"), "KeyError 'rows'"),
    (TimeoutError(), "TimeoutError"),
]


@pytest.mark.parametrize(("error", "words"), SAID)
def test_why_something_was_undone_is_told_in_words(error: BaseException, words: str) -> None:
    assert first_words(error) == words
