"""The whole move by one command, on the embedded target and on servers that are given."""

import json
import re
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import URL

from flows.prefect_server import PrefectServer
from ops.backend.supervised import SupervisedBackend
from ops.connection import connect, conninfo
from ops.content_hash import TableHash
from ops.cutover.questions import PAIR_HEADER
from ops.embedded.databases import NAMES, SPECS
from tests.acceptance.command_line import CommandLine
from tests.acceptance.rebuilt import Rebuilt, discard
from tests.acceptance.scene import Scene, fingerprint
from tests.database_content import database_hash
from tests.prefect_session import ask, flow_runs_of

MOST_TASK_RUNS = 200
RANGE = "2025-07-01..2025-12-19"
FLOW_RUNS = {
    f"rebuild {RANGE}",
    "provision databases",
    "migrate Core and AI",
    "seed Core",
    "copy all data from legacy",
    f"backfill {RANGE}",
    "serve the backend",
    f"verify {RANGE}",
    "swap to Core and AI",
}
BACKEND_CHECKS = (
    "backend alive",
    "probe logins",
    "chat",
    "portfolios complete",
    "analytics populated",
    "aggregate analytics",
    "retrieved documents",
    "batch day",
    "backend log",
)

FIGURES = {
    "position_factor_exposures": "140,360",
    "portfolio_snapshots": "1,331",
    "correlation_calculations": "1,067",
    "pairwise_correlations": "169,996",
    "symbol_factor_exposures": "730",
    "symbol_daily_metrics": "73",
}
TEN_DAYS = ("--first", "2025-07-01", "--last", "2025-07-15")


def test_ends_with_the_six_figures_of_the_plan(rebuilt: Rebuilt) -> None:
    assert rebuilt.code == 0, rebuilt.output
    for table, count in FIGURES.items():
        assert re.search(rf"{table} +{count} +{count} +yes", rebuilt.output), rebuilt.output
    assert re.search(r"run history: http://127.0.0.1:\d+", rebuilt.output)


def test_every_phase_is_a_completed_flow_run_of_few_tasks(rebuilt: Rebuilt) -> None:
    runs = flow_runs_of(rebuilt.prefect, rebuilt.pid)
    assert {run["name"]: run["state_type"] for run in runs} == dict.fromkeys(FLOW_RUNS, "COMPLETED")
    assert {tag for run in runs for tag in run["tags"]} == set()  # numbers tell a reader nothing
    ids = {"id": {"any_": [run["id"] for run in runs]}}
    assert 0 < ask(rebuilt.prefect, "task_runs/count", {"flow_runs": ids}) <= MOST_TASK_RUNS
    artifacts = ask(rebuilt.prefect, "artifacts/filter", {"flow_runs": ids})
    kinds = {artifact["key"]: artifact["type"] for artifact in artifacts}
    assert kinds == {
        "copy-progress": "progress",
        "copy-tables": "table",
        "backfill-progress": "progress",
        "backfill-rows": "table",
        "verify-checks": "table",
        "rebuild-summary": "markdown",
        "backfill-days": "markdown",
        "swap-what-changed": "markdown",
    }
    data = {artifact["key"]: artifact["data"] for artifact in artifacts}
    assert data["copy-progress"] == data["backfill-progress"] == 100
    assert "| position_factor_exposures | 140,360 | 140,360 | yes |" in data["rebuild-summary"]
    assert "data:image/png;base64," in data["rebuild-summary"]
    assert "| positions | 144 |" in data["swap-what-changed"]
    assert re.search(
        r"- who: .+ on .+, by a command\n- when: .+ UTC\n- plan: \w+\n", data["swap-what-changed"]
    )
    assert re.search(r"waited meanwhile: none failed|No request came", data["swap-what-changed"])
    grid = data["backfill-days"].splitlines()[2:-1]
    assert [line.count("■") for line in grid] == [121] * 11


def test_ends_green_against_the_backend_that_it_leaves_running(
    rebuilt: Rebuilt, command_line: CommandLine
) -> None:
    for check in BACKEND_CHECKS:
        assert re.search(rf"pass: {check} \(", rebuilt.output), rebuilt.output
    shown = re.search(r"backend: (http://127.0.0.1:\d+)", rebuilt.output)
    assert shown is not None, rebuilt.output
    found = httpx.get(f"{shown[1]}/ready", timeout=30)
    assert (found.json()["status"], found.headers[PAIR_HEADER]) == ("ready", "new")
    status = command_line.run("status", "--json", **rebuilt.environment)
    lines = {line["number"]: line for line in json.loads(status.out)}
    assert [lines[number]["state"] for number in ("8", "9", "10")] == ["done"] * 3
    assert shown[1] in lines["8"]["evidence"]
    assert re.search(r"\d\d checks passed, 0 failed, 0 skipped", lines["10"]["evidence"])


def test_verification_leaves_nothing_of_its_own(rebuilt: Rebuilt) -> None:
    with connect(rebuilt.databases.url("core", "owner"), application_name="tests") as core:
        chats = core.execute(
            "SELECT (SELECT count(*) FROM agent_conversations), "
            "(SELECT count(*) FROM agent_messages)"
        ).fetchone()
    with connect(rebuilt.databases.url("ai", "owner"), application_name="tests") as ai:
        about = ai.execute(
            "SELECT (SELECT count(*) FROM ai_memories), (SELECT count(*) FROM ai_feedback)"
        ).fetchone()
    assert (chats, about) == ((0, 0), (0, 0))


@pytest.mark.soak
def test_a_second_rebuild_changes_nothing(rebuilt: Rebuilt, command_line: CommandLine) -> None:
    _, *urls = _superusers(rebuilt)
    hashes, prints = [database_hash(url) for url in urls], [fingerprint(url) for url in urls]
    again = command_line.run("rebuild", **rebuilt.environment)
    assert again.code == 0, again
    assert [database_hash(url) for url in urls] == hashes
    for url, before in zip(urls, prints, strict=True):
        assert fingerprint(url) == before
    assert "nothing to do: every day" in again.err


def test_the_old_database_is_accounted_for(rebuilt: Rebuilt, command_line: CommandLine) -> None:
    shown = command_line.run("assess", **rebuilt.environment)
    assert shown.out.rstrip().endswith("go"), shown
    account = json.loads(command_line.run("assess", "--json", **rebuilt.environment).out)
    fates = {table["name"]: table["fate"] for table in account["tables"]}
    assert (account["go"], account["unknown_rows"], fates["users"]) == (True, {}, "copied")
    assert fates["ai_insights"] == "unknown"


@pytest.mark.soak
def test_down_then_up_keeps_the_data(rebuilt: Rebuilt, command_line: CommandLine) -> None:
    before = _contents(rebuilt)
    stopped = command_line.run("down", **rebuilt.environment)
    assert "stopped: backend, legacy, core, ai" in stopped.out, stopped
    assert SupervisedBackend(rebuilt.state).process() is None
    assert all(rebuilt.databases.server(name).process() is None for name in NAMES)
    started = command_line.run("up", **rebuilt.environment)
    assert started.code == 0, started
    assert _contents(rebuilt) == before


def test_refuses_other_prices_on_a_finished_state(
    rebuilt: Rebuilt, command_line: CommandLine, other_prices: Path
) -> None:
    before = [fingerprint(url) for url in _superusers(rebuilt)]
    refused = command_line.run("up", "--prices", str(other_prices), **rebuilt.environment)
    assert refused.code == 1, refused
    assert len(refused.errors) == 1, refused
    assert "was built from other prices (generated); set SIGMASIGHT_HOME" in refused.errors[0]
    assert [fingerprint(url) for url in _superusers(rebuilt)] == before


@pytest.mark.soak
def test_runs_on_servers_that_the_environment_gives(
    command_line: CommandLine, scene: Scene, legacy_template: str
) -> None:
    core, ai = scene.database(), scene.execute(scene.database(), "CREATE EXTENSION vector")
    owned = [
        scene.role(url, "ALL ON SCHEMA public", f"CREATE ON DATABASE {url.database}")
        for url in (core, ai)
    ]
    legacy = scene.server.url(legacy_template)
    outcome = command_line.run(
        "rebuild",
        *TEN_DAYS,
        **scene.pair(*owned),
        LEGACY_DATABASE_URL=conninfo(legacy),
        SIGMASIGHT_HOME=scene.folder / "home",
    )
    assert outcome.code == 0, outcome
    assert (_tables(core), _tables(ai)) == (38, 4)
    assert not (scene.folder / "home" / "servers").exists()
    assert "skipped: chat (set BACKEND_URL to the backend that serves" in outcome.err
    assert "the installation is in schema public" in outcome.err


@pytest.mark.soak
def test_runs_on_one_shared_database(
    command_line: CommandLine, scene: Scene, legacy_template: str
) -> None:
    shared = scene.database()
    outcome = command_line.run(
        "rebuild",
        *TEN_DAYS,
        DATABASE_URL=conninfo(shared),
        LEGACY_DATABASE_URL=conninfo(scene.server.url(legacy_template)),
        SIGMASIGHT_HOME=scene.folder / "home",
    )
    assert outcome.code == 0, outcome
    assert _tables(shared) == 42


@pytest.mark.soak
def test_runs_on_real_prices(
    real_prices: Path, prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    real = Rebuilt(tmp_path_factory.mktemp("real") / "home", prefect_server, "unused")
    real.home.mkdir()
    try:
        real.rebuild(PRICES=str(real_prices))
        assert real.code == 0, real.output  # and so verification was green
        for table in (
            "position_factor_exposures",
            "portfolio_snapshots",
            "symbol_factor_exposures",
            "symbol_daily_metrics",
        ):
            assert re.search(rf"{table} +{FIGURES[table]} +{FIGURES[table]} +yes", real.output)
    finally:
        discard(real.databases)


def _contents(rebuilt: Rebuilt) -> list[dict[str, TableHash]]:
    return [database_hash(rebuilt.databases.url(name, "owner")) for name in NAMES]


def _superusers(rebuilt: Rebuilt) -> list[URL]:
    return [rebuilt.databases.server(name).url(SPECS[name].database) for name in NAMES]


def _tables(url: URL) -> int:
    with connect(url, application_name="tests") as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
    return row[0] if row else 0
