"""Where the phases find the databases of a declared stack."""

import os
import stat
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from flows.commands import servers
from ops.backend.environment import served_environment
from ops.books.declared_stack import RecordedStack, Target, declared_target, record_declared
from ops.connection import connect, conninfo
from ops.endpoints import resolve_endpoints
from ops.errors import ConfigurationError
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from tests.acceptance.command_line import CommandLine
from tests.databases import NewDatabase

HOST = "postgresql://owner:p@127.0.0.1"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    for name in OperatorSettings.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    folder = StateFolder(tmp_path / "home")
    folder.create()
    return folder


def settings(state: StateFolder, **given: str) -> OperatorSettings:
    return OperatorSettings.model_validate({"SIGMASIGHT_HOME": state.root, **given})


URLS = {"core": f"{HOST}:5441/core", "ai": f"{HOST}:5442/ai", "legacy": f"{HOST}:5440/old"}


def test_a_stack_that_was_brought_up_is_what_the_phases_use(state: StateFolder) -> None:
    assert declared_target(state) is None
    record_declared(state, RecordedStack("docker", URLS))
    found = resolve_endpoints(settings(state))
    assert (found.core.port, found.ai.port, found.target) == (5441, 5442, "docker")
    assert found.legacy is not None
    assert found.legacy.database == "old"
    record = state.root / "stack.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert record.read_text().count(URLS["core"]) == 1, "an address stands in it once"


@pytest.mark.parametrize(("target", "brought"), [("docker", "docker"), ("external", None)])
def test_up_brings_containers_up_again_without_being_told(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch, target: Target, brought: str | None
) -> None:
    told: list[tuple[object, ...]] = []
    monkeypatch.setattr("ops.settings.operator_settings", lambda: settings(state))
    monkeypatch.setattr(servers, "flow_named", lambda *one: lambda *words: told.append(one + words))
    record_declared(state, RecordedStack(target, URLS))
    servers._bring_up(None, "up")
    assert told == [("provision", brought, "up")]


def test_its_backend_is_not_taken_for_an_embedded_one(state: StateFolder) -> None:
    assert settings(state).embedded
    record_declared(state, RecordedStack("embedded", {}))
    assert settings(state).embedded
    record_declared(state, RecordedStack("docker", URLS))
    assert not settings(state).embedded
    told = served_environment(settings(state), both=False)
    assert (told["DATABASE_URL"], told["AI_DATABASE_URL"]) == (URLS["core"], URLS["ai"])
    assert (told["ACTIVE_PAIR"], "LEGACY_DATABASE_URL" in told) == ("new", False)
    both = served_environment(settings(state), both=True)
    assert (both["LEGACY_DATABASE_URL"], both["ACTIVE_PAIR"]) == (URLS["legacy"], "gate")


def test_what_the_environment_gives_comes_first(state: StateFolder) -> None:
    record_declared(state, RecordedStack("docker", URLS))
    given = settings(state, DATABASE_URL=f"{HOST}:1/x", AI_DATABASE_URL=f"{HOST}:2/y")
    assert resolve_endpoints(given).target == "external"
    real = settings(state, LEGACY_DATABASE_URL=f"{HOST}:3/z")
    assert resolve_endpoints(real).legacy == resolve_endpoints(real).core.set(port=3, database="z")


def test_a_stack_without_an_old_database_has_none(state: StateFolder) -> None:
    record_declared(state, RecordedStack("external", {**URLS, "legacy": None}))
    assert resolve_endpoints(settings(state)).legacy is None


def test_a_stack_without_databases_is_refused(state: StateFolder) -> None:
    record_declared(state, RecordedStack("docker", {}))
    with pytest.raises(ConfigurationError, match="run `sigmasight up --target docker`"):
        resolve_endpoints(settings(state))


@pytest.mark.soak
def test_phases_go_where_an_external_stack_points(
    engine: str,
    command_line: CommandLine,
    new_database: NewDatabase,
    state: StateFolder,
) -> None:
    """Addresses are given once, to the stack; afterwards the stack alone has them."""
    core, ai = new_database(), new_database()
    told = {"SIGMASIGHT_HOME": state.root, "XDG_CACHE_HOME": Path(engine).parents[3]}
    given = {"DATABASE_URL": conninfo(core), "AI_DATABASE_URL": conninfo(ai)}
    assert core.password is not None
    with connect(ai, application_name="tests", autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    command_line.run("up", "--target", "external", "--preview", **told, **given)
    for key, value in (("legacy", "absent"), ("active", "new")):
        done = command_line.run("pulumi", "config", "set", key, value, "-s", "external", **told)
        assert done.code == 0, done
    up = command_line.run("up", "--target", "external", **told, **given)
    assert up.code == 0, up
    again = command_line.run("up", "--target", "external", **told)
    assert "stack external: 0 changes" in again.err, again
    assert command_line.run("migrate", **told).code == 0
    assert (_tables(core), _tables(ai)) == (38, 4)
    shown = command_line.run("pulumi", "stack", "output", "-s", "external", **told)
    assert "core_url" in shown.out, shown
    for outcome in (up, again, shown):
        assert core.password not in outcome.out + outcome.err
    assert _files_with(core.password, state.root) == {"stack.json"}


def _files_with(text: str, folder: Path) -> set[str]:
    files = [Path(root) / name for root, _, names in os.walk(folder) for name in names]
    return {path.name for path in files if text.encode() in path.read_bytes()}


def _tables(url: URL) -> int:
    with connect(url, application_name="tests") as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
    return row[0] if row else 0
