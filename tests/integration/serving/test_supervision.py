"""Processes die, in every order: one backend serves, never two, never none for long."""

import os
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from app.chain_folders import PROJECT_ROOT
from ops.backend.control import LONGEST_FOLDER, control_folder, supervisor_socket
from ops.backend.supervised import BackendUnavailableError, SupervisedBackend
from ops.books.active_pair import Pair, set_active_pair
from ops.state_folder import StateFolder
from tests.groups import soaked
from tests.integration.serving.starting import APPLICATION, ENVIRONMENT, eventually
from tests.integration.serving.users import PAIR, asking

LARGEST_BYTES = 60 * 2**20

_HOLDER = """
    import sys, time
    from pathlib import Path
    from ops.backend.supervised import SupervisedBackend
    from ops.state_folder import StateFolder

    with SupervisedBackend(StateFolder(Path(sys.argv[1]))).hold(float(sys.argv[2]), 60.0) as held:
        if sys.argv[3] == "flip":
            held.flip("new")
        print("held", flush=True)
        time.sleep(600)
"""


def holder(backend: SupervisedBackend, stream_seconds: float, then: str = "") -> psutil.Popen:
    """A process that holds until it is killed."""
    words = [sys.executable, "-c", textwrap.dedent(_HOLDER), str(backend.state.root)]
    return psutil.Popen(
        [*words, str(stream_seconds), then], stdout=subprocess.PIPE, cwd=PROJECT_ROOT
    )


def kill(process: psutil.Process | None) -> None:
    assert process is not None
    process.kill()
    process.wait(10)


def answering(backend: SupervisedBackend) -> str:
    return str(httpx.get(f"{backend.url}/x", timeout=20).headers[PAIR])


def backends(backend: SupervisedBackend) -> list[psutil.Process]:
    """All processes that serve this state folder."""
    found = []
    for process in psutil.process_iter():
        try:
            home = process.environ().get("SIGMASIGHT_HOME")
            if "app.serving" in process.cmdline() and home == str(backend.state.root):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize(("then", "pair"), [*soaked(("", "old")), ("flip", "new")])
def test_a_holder_that_is_killed_leaves_the_named_pair_served(
    served: SupervisedBackend, then: str, pair: Pair
) -> None:
    assert served.url is not None
    with asking(served.url, 10) as users, holder(served, 0.0, then) as process:
        process.stdout.readline()
        assert len(backends(served)) == 2
        kill(process)
        eventually(lambda: len(users.pairs(time.monotonic() - 0.1, time.monotonic())) == 1)
        assert answering(served) == served.pair == pair
    assert not users.faults


@pytest.mark.soak
def test_a_holder_that_is_killed_while_requests_end_leaves_all_as_it_was(
    served: SupervisedBackend,
) -> None:
    with asking(served.url or "", 3) as users, holder(served, 20.0) as process:
        with httpx.stream("GET", f"{served.url}/x") as kept:
            kept.read()
        slow = subprocess.Popen(
            [sys.executable, "-c", f"import urllib.request as r; r.urlopen('{served.url}/slow/4')"]
        )
        time.sleep(1.5)
        kill(process)
        eventually(lambda: answering(served) == "old", 3)
        assert slow.wait(20) == 0
    assert not users.faults


def test_a_hold_ends_with_its_block(served: SupervisedBackend) -> None:
    with pytest.raises(ZeroDivisionError), served.hold(0.0, 60.0):
        raise ZeroDivisionError
    assert answering(served) == "old"


@pytest.mark.soak
def test_a_killed_supervisor_is_missed_by_nobody_and_its_backend_taken_over(
    served: SupervisedBackend,
) -> None:
    assert served.url is not None
    url, first = served.url, served.process()
    assert first is not None
    with asking(url, 20) as users:
        kill(served.supervisor())
        # The one that stood by leaves; the one that served goes on.
        eventually(lambda: backends(served) == [first])
        assert (served.url, served.pair, served.process()) == (url, "old", first)
        begun = time.monotonic()
        eventually(lambda: users.pairs(begun, time.monotonic()) == {"old"})
        served.start(ENVIRONMENT, "old")
        assert served.wait() == url
        assert served.process() == first
        kill(served.supervisor())
        served.start({**ENVIRONMENT, "LOG_LEVEL": "DEBUG"}, "old")
        assert served.wait() == url
        eventually(lambda: backends(served) == [served.process()])
        assert served.process() != first
        served.stage(ENVIRONMENT, "new")
        with served.hold(1.0, 60.0) as held:
            held.release("new")
        assert answering(served) == "new"
    assert not users.faults


@pytest.fixture
def deepest() -> Iterator[SupervisedBackend]:
    """One whose sockets have the longest paths that there are."""
    with tempfile.TemporaryDirectory() as folder:
        rest = LONGEST_FOLDER - len(f"{folder}//control")
        state = StateFolder(Path(folder) / ("x" * rest))
        state.create()
        assert len(str(control_folder(state))) == LONGEST_FOLDER
        backend = SupervisedBackend(state, APPLICATION)
        backend.start(ENVIRONMENT, "old")
        backend.wait()
        yield backend
        backend.stop()


@pytest.mark.soak
def test_a_backend_of_a_deep_state_folder_is_found_again(deepest: SupervisedBackend) -> None:
    first = deepest.process()
    kill(deepest.supervisor())
    assert answering(deepest) == "old"
    deepest.start(ENVIRONMENT, "old")
    deepest.wait()
    assert deepest.process() == first


@pytest.mark.parametrize(("flipped", "pair"), [*soaked((False, "old")), (True, "new")])
def test_a_supervisor_killed_while_all_are_held_leaves_the_named_pair_served(
    served: SupervisedBackend, flipped: bool, pair: Pair
) -> None:
    waiting = socket.create_connection(("127.0.0.1", httpx.URL(served.url or "").port or 0))
    with served.hold(0.0, 60.0) as held:
        if flipped:
            held.flip("new")
        waiting_now = socket.create_connection(waiting.getpeername())
        waiting_now.sendall(b"GET /x HTTP/1.1\r\nHost: b\r\n\r\n")
        kill(served.supervisor())
        if flipped:
            held.flip("new")  # done already: not an error
        with pytest.raises(BackendUnavailableError):
            held.flip("old" if flipped else "new")
        with pytest.raises(BackendUnavailableError):
            held.release(pair)
    waiting.close()
    with waiting_now:
        waiting_now.settimeout(20)
        assert f"x-sigmasight-pair: {pair}".encode() in waiting_now.recv(4096)
    eventually(lambda: len(backends(served)) == 1)
    assert answering(served) == served.pair == pair
    served.start(ENVIRONMENT, pair)
    assert served.wait() == served.url
    assert answering(served) == pair


def test_a_crashed_one_is_started_again_and_callers_wait_for_it(
    served: SupervisedBackend,
) -> None:
    port = httpx.URL(served.url or "").port
    for _ in range(2):
        before = served.process()
        kill(before)
        assert answering(served) == "old"  # it waited in the socket's queue
        eventually(lambda before=before: served.process() not in (None, before))
    assert httpx.URL(served.url or "").port == port


@pytest.mark.soak
def test_one_that_crashes_while_it_is_held_is_started_again(served: SupervisedBackend) -> None:
    with served.hold(0.0, 60.0) as held:
        for each in backends(served):
            kill(each)
        held.release("new")
    assert answering(served) == "new"


@pytest.mark.soak
def test_a_stranger_killed_by_its_signal_is_replaced(served: SupervisedBackend) -> None:
    """SIGTERM of the one that serves: what it has begun is answered, and another goes on."""
    first = served.process()
    assert first is not None
    with asking(served.url or "", 10) as users:
        eventually(lambda: len(users.answers) > 50)
        first.terminate()
        eventually(lambda: served.process() not in (None, first))
        eventually(lambda: not first.is_running())
        before = len(users.answers)
        eventually(lambda: len(users.answers) > before + 50)
    assert not users.faults


@pytest.mark.soak
def test_another_configuration_takes_over_without_an_outage(
    served: SupervisedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.backend.supervised._PATIENCE_SECONDS", 2.0)
    with asking(served.url or "", 20) as users:
        eventually(lambda: len(users.answers) > 100)
        for level in ("DEBUG", "WARNING"):
            before = served.process()
            served.start({**ENVIRONMENT, "LOG_LEVEL": level}, "old")
            served.wait()
            assert served.process() != before
            served.start({**ENVIRONMENT, "LOG_LEVEL": level}, "old")
        before = served.process()
        served.start({**ENVIRONMENT, "READY_STATUS": "503", "LOG_LEVEL": "INFO"}, "old")
        with pytest.raises(BackendUnavailableError, match="not ready"):
            served.wait()
        assert served.process() == before
    assert not users.faults


@pytest.mark.soak
def test_a_supervisor_of_other_code_is_replaced_while_its_backend_serves_on(
    served: SupervisedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, backend = served.supervisor(), served.process()
    monkeypatch.setattr("ops.backend.supervised.supervisor_mark", lambda: "of tomorrow")
    with asking(served.url or "", 10) as users:
        served.start(ENVIRONMENT, "old")
        served.wait()
        eventually(lambda: len(users.answers) > 50)
    assert served.supervisor() not in (None, before)
    assert served.process() == backend
    assert not users.faults


@pytest.mark.soak
def test_a_hanging_one_is_replaced(
    served: SupervisedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.backend.supervised._PATIENCE_SECONDS", 1.0)
    first = served.process()
    assert first is not None
    first.suspend()
    assert not served.ready()
    served.start(ENVIRONMENT, "old")
    served.wait()
    assert served.process() != first
    eventually(lambda: not first.is_running())


@pytest.mark.soak
def test_a_hanging_one_without_a_supervisor_is_replaced(served: SupervisedBackend) -> None:
    first, url = served.process(), served.url
    kill(served.supervisor())
    eventually(lambda: backends(served) == [first])
    assert first is not None
    time.sleep(0.5)
    first.suspend()
    served.start(ENVIRONMENT, "old")
    assert served.wait() == url
    assert served.process() != first


@pytest.mark.soak
def test_stopping_ends_everything_also_without_a_supervisor(served: SupervisedBackend) -> None:
    assert served.stop()
    assert not backends(served)
    assert not served.stop()
    served.start(ENVIRONMENT, "old")
    served.wait()
    kill(served.supervisor())
    assert served.stop()
    eventually(lambda: not backends(served))
    assert (served.url, served.pair) == (None, None)


@pytest.mark.soak
def test_two_state_folders_never_share_a_port(served: SupervisedBackend, tmp_path: Path) -> None:
    other = SupervisedBackend(StateFolder(tmp_path / "other"), APPLICATION)
    other.state.create()
    other.state.write("backend", {"port": served.state.read("backend")["port"]})
    try:
        other.start(ENVIRONMENT, "new")
        assert other.wait() != served.url
        assert (answering(served), answering(other)) == ("old", "new")
        # Also when the one is found again by a new supervisor.
        kill(served.supervisor())
        served.start(ENVIRONMENT, "old")
        assert served.wait() != other.url
        assert (answering(served), answering(other)) == ("old", "new")
    finally:
        other.stop()


def test_a_stranger_with_its_number_is_left_alone(served: SupervisedBackend) -> None:
    mine = SupervisedBackend(StateFolder(served.state.root / "other"), APPLICATION)
    mine.state.create()
    me = {"pid": os.getpid(), "port": 1, "backends": [{"pid": os.getpid(), "pair": "new"}]}
    for recorded in (me, served.state.read("backend")):
        mine.state.write("backend", recorded)
        assert (mine.url, mine.pair, mine.stop()) == (None, None, False)
    assert answering(served) == "old"


@pytest.mark.soak
def test_a_long_state_folder_has_its_sockets_elsewhere_closed_to_others(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 30)
    backend = SupervisedBackend(StateFolder(deep), APPLICATION)
    backend.state.create()
    try:
        backend.start(ENVIRONMENT, "old")
        backend.wait()
        supervisor = backend.supervisor()
        assert supervisor is not None
        at = supervisor_socket(backend.state)
        assert at.is_socket()
        assert len(str(at)) < 100
        assert at.parent.stat().st_mode & 0o077 == 0
        assert supervisor.memory_info().rss < LARGEST_BYTES
    finally:
        backend.stop()
    assert not at.exists()


def test_the_pointer_says_who_serves_where_nobody_knows_better(served: SupervisedBackend) -> None:
    """The pair is changed by hand while a holder works, and that is killed."""
    with holder(served, 0.0) as process:
        process.stdout.readline()
        set_active_pair(served.state, "new")
        kill(process)
        eventually(lambda: answering(served) == "new")
