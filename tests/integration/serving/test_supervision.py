"""Processes die, in every order: callers wait, at the same address, and never do two serve."""

import os
import threading
from pathlib import Path

import httpx
import psutil
import pytest

from ops.backend.supervised import SupervisedBackend
from ops.state_folder import StateFolder
from tests.integration.serving.starting import APPLICATION, ENVIRONMENT, eventually
from tests.integration.serving.users import asking

LARGEST_BYTES = 60 * 2**20
OTHER = {**ENVIRONMENT, "LOG_LEVEL": "DEBUG"}


def kill(process: psutil.Process | None) -> None:
    assert process is not None
    process.kill()
    process.wait(10)


def said(backend: SupervisedBackend, path: str = "/x") -> str:
    return httpx.get(f"{backend.url}{path}", timeout=20, trust_env=False).text


def running(backend: SupervisedBackend) -> list[psutil.Process]:
    """All processes that serve this state folder."""
    found = []
    for process in psutil.process_iter():
        try:
            home = process.environ().get("SIGMASIGHT_HOME")
            if "uvicorn" in process.cmdline() and home == str(backend.state.root):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_one_that_ended_is_started_again_and_callers_wait_for_it(
    served: SupervisedBackend,
) -> None:
    url = served.url
    for how in ("kill", "terminate"):
        before = served.process()
        assert before is not None
        getattr(before, how)()
        before.wait(20)
        assert said(served) == "/x None"  # it waited in the socket's queue
        eventually(lambda before=before: served.process() not in (None, before))
    assert served.url == url


def test_a_killed_supervisor_is_missed_by_nobody_and_another_goes_on(
    served: SupervisedBackend,
) -> None:
    url, first = served.url, served.process()
    with asking(url or "", 5, pause=0.05) as users:
        kill(served.supervisor())
        assert (served.url, served.process()) == (url, first)
        served.start(ENVIRONMENT)
        assert served.wait() == url
        assert (served.process(), served.supervisor() is None) == (first, False)
        before = len(users.answers)
        eventually(lambda: len(users.answers) > before + 20)
    assert not users.faults
    kill(first)
    eventually(lambda: served.process() not in (None, first))
    assert (said(served), served.url) == ("/x None", url)


def test_another_configuration_takes_over_and_callers_wait_for_it(
    served: SupervisedBackend,
) -> None:
    url, first, heard = served.url, served.process(), list[str]()
    slow = threading.Thread(target=lambda: heard.append(said(served, "/slow/1")))
    slow.start()
    eventually(lambda: len(first.net_connections()) > 1)  # type: ignore[union-attr]
    served.start(OTHER)
    assert served.wait() == url
    slow.join(20)
    assert heard == ["/slow/1 None"], "what was under way is finished"
    assert (said(served), served.process() != first) == ("/x DEBUG", True)
    second = served.process()
    served.start(OTHER)
    assert (served.wait(), served.process()) == (url, second)
    kill(served.supervisor())
    served.start(ENVIRONMENT)
    assert (served.wait(), said(served)) == (url, "/x None"), "one that went on alone too"
    assert running(served) == [served.process()]


def test_what_an_earlier_version_has_started_is_replaced(served: SupervisedBackend) -> None:
    url, first = served.url, served.process()
    known = served.state.read("backend")
    served.state.write("backend", {"pid": known["pid"], "port": known["port"], "backends": []})
    assert not served.kept
    served.start(ENVIRONMENT)
    assert served.wait() == url
    assert running(served) == [served.process()] != [first]
    assert served.kept


@pytest.mark.soak
def test_a_hanging_one_is_replaced(
    served: SupervisedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.backend.supervised._PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr("ops.backend.supervised.START_SECONDS", 0.0)
    first = served.process()
    assert first is not None
    first.suspend()
    assert not served.ready()
    served.start(ENVIRONMENT)
    eventually(served.ready)
    assert served.process() != first


@pytest.mark.soak
def test_stopping_ends_everything_also_without_a_supervisor(served: SupervisedBackend) -> None:
    assert served.stop()
    assert not running(served)
    assert not served.stop()
    served.start(ENVIRONMENT)
    served.wait()
    kill(served.supervisor())
    assert served.stop()
    assert not running(served)
    assert served.url is None


@pytest.mark.soak
def test_two_state_folders_never_share_a_port(served: SupervisedBackend, tmp_path: Path) -> None:
    other = SupervisedBackend(StateFolder(tmp_path / "other"), APPLICATION)
    other.state.create()
    other.state.write("backend", {"port": served.state.read("backend")["port"]})
    try:
        other.start(OTHER)
        assert other.wait() != served.url
        assert (said(served), said(other)) == ("/x None", "/x DEBUG")
    finally:
        other.stop()


def test_a_stranger_with_its_number_is_left_alone(served: SupervisedBackend) -> None:
    mine = SupervisedBackend(StateFolder(served.state.root / "other"), APPLICATION)
    mine.state.create()
    me = {"pid": os.getpid(), "port": 1, "backend": os.getpid(), "mark": ""}
    for recorded in (me, served.state.read("backend")):
        mine.state.write("backend", recorded)
        assert (mine.url, mine.stop()) == (None, False)
    assert said(served) == "/x None"


def test_a_supervisor_is_small_and_leaves_no_secret_behind(served: SupervisedBackend) -> None:
    served.start({**OTHER, "SECRET_KEY": "canary"})
    served.wait()
    supervisor = served.supervisor()
    assert supervisor is not None
    assert supervisor.memory_info().rss < LARGEST_BYTES
    files = [path.read_text() for path in served.state.root.iterdir() if path.is_file()]
    assert "canary" not in "".join([*files, *supervisor.cmdline()])
