"""The whole move rehearsed by the real command: measured, harmless, and gone afterwards."""

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
from sqlalchemy.engine import URL

from flows.prefect_server import PrefectServer
from ops.connection import connect, conninfo
from ops.embedded.databases import NAMES
from ops.embedded.server import EmbeddedServer
from ops.rehearsal.place import remove_leftovers
from ops.state_folder import StateFolder
from tests.acceptance.command_line import CommandLine, Outcome, Running
from tests.acceptance.scene import fingerprint
from tests.databases import create_database, drop_databases
from tests.groups import soaked
from tests.prefect_session import ask, flow_runs_of

DAYS = ("--first", "2025-07-01", "--last", "2025-07-03")
PATIENCE_SECONDS = 400.0
STEPS = ("copy of the old database", "rebuild", "swap", "rollback", "second swap", "verify")


@dataclass
class Home:
    """A state folder whose rehearsals are watched.

    Attributes:
        seen: every path outside the rehearsal's place that belonged to it.
    """

    state: StateFolder
    seen: set[Path] = field(default_factory=set)

    @property
    def log(self) -> str:
        path = self.state.root / "rehearsal.log"
        return path.read_text() if path.exists() else ""

    @property
    def place(self) -> Path | None:
        recorded = self.state.read("rehearsal").get("place")
        return Path(recorded) if recorded else None

    def look(self) -> None:
        """Note where the rehearsal's servers and sockets lie just now."""
        place = self.place
        if place is None or not (place / "servers").exists():
            return
        servers = (place / "servers").resolve()
        made = Path(tempfile.gettempdir()).glob("sigmasight-*")
        names = [str(place), *(str(servers / name / "data") for name in NAMES)]
        digests = {sha256(name.encode()).hexdigest()[:12] for name in names}
        self.seen |= {place, servers}
        self.seen |= {path for path in made if path.name.rpartition("-")[2] in digests}

    def processes(self) -> list[str]:
        """What runs on any place of this state folder, or stands in one."""
        found = []
        for one in psutil.process_iter():
            try:
                home = one.environ().get("SIGMASIGHT_HOME", "")
                here = Path(one.cwd())
            except (psutil.Error, OSError):
                continue
            stands = any(here.is_relative_to(path) for path in self.seen)
            if home.startswith(f"{self.state.root}/") or stands:
                found.append(f"{one.pid} {' '.join(one.cmdline())}")
        return found

    def until(self, running: Running, words: str) -> None:
        """Wait until the log says so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while words not in self.log:
            assert running.process.is_alive(), running.outcome()
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)
        self.look()

    def end(self, running: Running) -> Outcome:
        """Wait for the end, watching."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while running.process.is_alive() and time.monotonic() < deadline:
            self.look()
            time.sleep(0.1)
        return running.outcome()

    def left(self) -> list[object]:
        """Everything of a rehearsal that is still there."""
        paths = [path for path in self.seen if path.exists()]
        return [*paths, *self.processes(), *self.state.root.glob("rehearsals")]


@dataclass
class Rehearsed:
    """A rehearsal that followed on a killed one."""

    home: Home
    pid: int
    after_kill: list[str]
    outcome: Outcome
    real: dict[URL, tuple[object, object]]
    left: list[object]

    @property
    def report(self) -> str:
        return (self.home.state.root / "report.md").read_text()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    state = StateFolder(tmp_path_factory.mktemp("rehearsing") / "home")
    state.create()
    yield Home(state)
    with state.lock("rehearsal"):
        remove_leftovers(state)


@pytest.fixture(scope="module")
def real(
    server: EmbeddedServer, legacy_template: str, core_template: str, ai_template: str
) -> Iterator[dict[str, URL]]:
    """The databases of a real move: the old one, and a new pair."""
    templates = {"legacy": legacy_template, "core": core_template, "ai": ai_template}
    urls = {name: create_database(server, template) for name, template in templates.items()}
    yield urls
    drop_databases(server, urls.values())


@pytest.fixture(scope="module")
def rehearsed(command_line: CommandLine, home: Home, real: dict[str, URL]) -> Rehearsed:
    with connect(real["legacy"], application_name="tests", autocommit=True) as legacy:
        legacy.execute("CREATE TABLE audit_log AS SELECT generate_series(1, 3) AS id")
    environment = {
        "SIGMASIGHT_HOME": home.state.root,
        "DEMO_PASSWORD": "demo",
        "DATABASE_URL": conninfo(real["core"]),
        "AI_DATABASE_URL": conninfo(real["ai"]),
        "LEGACY_DATABASE_URL": conninfo(real["legacy"]),
    }
    before = {url: fingerprint(url) for url in real.values()}
    killed = command_line.start(("rehearse", *DAYS), environment)
    home.until(killed, "=== rebuild")
    killed.kill()
    after_kill = home.processes()
    words = ("rehearse", *DAYS, "--report", str(home.state.root / "report.md"))
    running = command_line.start(words, environment)
    outcome = home.end(running)
    now = {url: (before[url], fingerprint(url)) for url in real.values()}
    return Rehearsed(home, running.pid, after_kill, outcome, now, home.left())


@pytest.mark.soak
def test_ends_with_every_step_measured(rehearsed: Rehearsed) -> None:
    assert rehearsed.outcome.code == 0, f"{rehearsed.outcome}\n{rehearsed.home.log}"
    report = rehearsed.report
    assert f"| {STEPS[0]} | pg_dump into pg_restore | " in report
    for step in STEPS[1:]:
        assert f"[{step}](http" in report, report
    for phase in ("provision", "migrate", "seed", "copy", "backfill", "serve", "verify"):
        assert f"| {phase} | " in report
    for cutover in ("1. swap", "2. rollback", "3. swap"):
        assert f"| {cutover} | done | " in report
    assert "a copy of the old database at 127.0.0.1:" in report
    assert "3 of public.audit_log" in report.split("## The price of a swap")[1].splitlines()[2]
    assert "by hand the move alone took about 4 hours" in report
    assert "0 failed" in report
    assert report.strip() in rehearsed.outcome.out


@pytest.mark.soak
def test_its_clients_lose_nothing(rehearsed: Rehearsed) -> None:
    heading = "| during | requests | lost |"
    rows = rehearsed.report.split(heading)[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == ["swap", "rollback", "second swap"]
    for _, requests, lost, _, pairs in cells:
        assert int(requests.replace(",", "")) > 0
        assert lost == "0"
        assert "old" in pairs
        assert "new" in pairs
        assert "nobody" not in pairs


@pytest.mark.soak
def test_nothing_real_is_changed_or_locked(rehearsed: Rehearsed) -> None:
    for url, (before, after) in rehearsed.real.items():
        assert after == before, url.database


@pytest.mark.soak
def test_removes_what_a_killed_rehearsal_left_and_leaves_nothing_itself(
    rehearsed: Rehearsed,
) -> None:
    # The killed one left servers and the command that worked on them.
    assert any("flows.cli rebuild" in line for line in rehearsed.after_kill), rehearsed.after_kill
    assert any("postgres" in line for line in rehearsed.after_kill)
    assert len(rehearsed.home.seen) >= 4  # places and servers' folders of both
    assert rehearsed.left == []


@pytest.mark.soak
def test_its_runs_are_in_the_same_history_and_marked(
    rehearsed: Rehearsed, prefect_server: PrefectServer
) -> None:
    own = flow_runs_of(prefect_server, rehearsed.pid)
    assert [run["name"] for run in own] == ["rehearse 2025-07-01..2025-07-03"]
    marked = ask(
        prefect_server,
        "flow_runs/filter",
        {"flow_runs": {"tags": {"all_": ["rehearsal"]}}, "sort": "START_TIME_DESC"},
    )
    assert {"swap to Core and AI", "rebuild 2025-07-01..2025-07-03"} <= {
        run["name"] for run in marked
    }
    found = {"flow_runs": {"id": {"any_": [own[0]["id"]]}}}
    artifacts = ask(prefect_server, "artifacts/filter", found)
    assert [(one["key"], one["type"]) for one in artifacts] == [("rehearsal-report", "markdown")]
    assert artifacts[0]["data"] == rehearsed.report
    # A rehearsed swap must not set the date of the real cleanup.
    assert "only rehearsed: the schedule of the cleanup stays as it is" in rehearsed.home.log


@pytest.mark.soak
def test_status_shows_it(rehearsed: Rehearsed, command_line: CommandLine) -> None:
    shown = command_line.run("status", "--json", SIGMASIGHT_HOME=rehearsed.home.state.root)
    last = json.loads(shown.out)[-1]
    assert (last["phase"], last["state"]) == ("rehearsal", "done")
    assert "report.md" in last["evidence"]


@pytest.mark.parametrize(
    "number", [signal.SIGINT, *soaked(signal.SIGTERM)], ids=lambda one: one.name
)
def test_an_interrupted_one_says_where_and_leaves_nothing(
    command_line: CommandLine, home: Home, number: signal.Signals
) -> None:
    log = home.state.root / "rehearsal.log"
    log.unlink(missing_ok=True)
    running = command_line.start(("rehearse", *DAYS), {"SIGMASIGHT_HOME": home.state.root})
    home.until(running, "=== old database")
    os.kill(running.pid, number)
    outcome = home.end(running)
    assert outcome.code == 130, outcome
    assert "interrupted in 'old database'" in outcome.err + outcome.out
    assert str(log) in outcome.err + outcome.out
    assert log.exists()
    assert home.left() == []
