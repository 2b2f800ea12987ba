"""The embedded stack under the real engine: real servers, a file backend in a state folder."""

import json
import os
import secrets
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.database_url import parse_database_url
from infra.automation import Changes, DrivenStack
from infra.driven import forget_legacy
from infra.gate import follow
from ops.backend.serving import serving_pair
from ops.books.active_pair import Pair
from ops.books.marker import keep_books
from ops.connection import connect
from ops.embedded.databases import NAMES, EmbeddedDatabases
from ops.endpoints import resolve_endpoints
from ops.errors import BusyError, ConfigurationError, RefusedError
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from tests.acceptance.command_line import CommandLine, Outcome
from tests.acceptance.scene import fingerprint
from tests.acceptance.test_secrets import files_with
from tests.database_content import database_hash
from tests.infra.conftest import NewStack
from tests.served_pair import have_serve

# Of a failed operation's event loop, which the SDK leaves open.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <socket.socket fd=\d+, family=1,"
    ":pytest.PytestUnraisableExceptionWarning"
)

Homes = Callable[[], StateFolder]
BACKEND_DATABASES = {
    "DATABASE_URL": "core",
    "AI_DATABASE_URL": "ai",
    "LEGACY_DATABASE_URL": "legacy",
}
ROLES = ("superuser", "owner", "app", "readonly")
TEN_DAYS = ("--first", "2025-07-01", "--last", "2025-07-15")


def servers(changed: Changes) -> set[tuple[str, str]]:
    """What happened to which server."""
    return {
        (change.operation, change.resource)
        for change in changed
        if change.type == "EmbeddedInstance"
    }


def pids(stack: DrivenStack) -> dict[str, int | None]:
    """The postmasters that run."""
    found = {name: EmbeddedDatabases(stack.state).server(name).process() for name in NAMES}
    return {name: process.pid if process else None for name, process in found.items()}


def execute(stack: DrivenStack, name: str, statement: str) -> list[tuple[object, ...]]:
    url = parse_database_url(stack.outputs()[f"{name}_url"])
    with connect(url, application_name="tests", autocommit=True) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


@pytest.mark.soak
def test_the_life_of_a_stack(new_stack: NewStack) -> None:
    stack = new_stack()
    assert servers(stack.preview()) == {("create", name) for name in NAMES}
    assert not EmbeddedDatabases(stack.state).exists(), "a preview makes nothing"

    assert servers(stack.up()) == {("create", name) for name in NAMES}
    assert stack.preview() == ()
    execute(stack, "core", "CREATE TABLE kept AS SELECT 42 AS answer")

    core = EmbeddedDatabases(stack.state).server("core").process()
    assert core is not None
    core.send_signal(signal.SIGKILL)
    psutil.wait_procs([core], timeout=10)
    assert servers(stack.refresh()) == {("update", "core")}, "a refresh sees a killed server"
    others = pids(stack)
    assert servers(stack.up()) == {("update", "core")}
    assert {**pids(stack), "core": None} == others, "the others were left alone"
    assert execute(stack, "core", "SELECT answer FROM kept") == [(42,)]

    running = pids(stack)
    with pytest.raises(ConfigurationError, match=r"is protected .*sigmasight:protect false` and"):
        stack.destroy()
    assert (pids(stack), stack.preview()) == (running, ()), "nothing has gone"

    stack.configure(protect="false")
    stack.up()
    assert servers(stack.destroy()) == {("delete", name) for name in NAMES}
    assert set(pids(stack).values()) == {None}

    assert servers(stack.up()) == {("create", name) for name in NAMES}
    assert execute(stack, "core", "SELECT answer FROM kept") == [(42,)], "data were not removed"


@pytest.mark.soak
def test_a_server_that_was_deleted_is_made_again(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.up()
    ai = EmbeddedDatabases(stack.state).server("ai")
    ai.stop()
    shutil.rmtree(ai.folder)
    assert servers(stack.refresh()) == {("delete", "ai")}
    assert servers(stack.up()) == {("create", "ai")}
    marker = execute(stack, "ai", "SELECT role FROM ops.database_marker")
    assert marker == [("ai",)]


@pytest.mark.soak
def test_stopped_servers_are_started_without_being_asked_to_look(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.up()
    EmbeddedDatabases(stack.state).down()
    assert servers(stack.preview()) == {("update", name) for name in NAMES}
    assert servers(stack.up()) == {("update", name) for name in NAMES}
    assert None not in pids(stack).values()
    assert stack.preview() == ()


@pytest.mark.soak
def test_the_old_database_leaves_and_no_command_brings_it_back(new_stack: NewStack) -> None:
    """The stack's words after a swap, a rollback, a swap and the cleanup."""
    stack = new_stack(removeData="true")
    stack.up()
    settings = OperatorSettings.model_validate({"SIGMASIGHT_HOME": stack.state.root})
    lines: list[str] = []
    with pytest.raises(RefusedError, match="in use; swap first, by `sigmasight swap`"):
        forget_legacy(settings, lines.append)
    assert stack.configuration().get("legacy", "present") == "present"
    core = EmbeddedDatabases(stack.state).url("core", "owner")
    keep_books(core, "core")
    pairs: list[Pair] = ["new", "old", "new"]
    for pair in pairs:
        have_serve(core, pair)
        follow(settings, pair, lines.append)
        assert stack.preview() == ()
        outputs = stack.outputs()
        assert outputs["active"] == stack.configuration()["active"] == serving_pair(settings)
        told = outputs["backend_environment"]
        assert told["ACTIVE_PAIR"] == "gate", "the same backend serves either pair"
        for name, database in BACKEND_DATABASES.items():
            backend, owner = map(parse_database_url, (told[name], outputs[f"{database}_url"]))
            assert (backend.port, backend.database) == (owner.port, owner.database)
            assert backend.username == "sigmasight_app"

    stack.configure(active="old")
    with pytest.raises(ConfigurationError, match="says active: old, but new serves"):
        stack.up()
    assert serving_pair(settings) == "new"
    stack.configure(active="new")

    databases = EmbeddedDatabases(stack.state)
    others = {**pids(stack), "legacy": None}
    stack.configure(legacy="absent")
    with pytest.raises(ConfigurationError, match="legacy is protected and was not removed"):
        stack.up()
    assert databases.server("legacy").process() is not None
    assert forget_legacy(settings, lines.append) == ()
    told = stack.outputs()["backend_environment"]
    assert (told["ACTIVE_PAIR"], "LEGACY_DATABASE_URL" in told) == ("new", False)
    assert "done: delete EmbeddedInstance legacy" in lines
    assert stack.preview() == ()
    assert stack.up() == ()
    assert not databases.server("legacy").exists(), "removeData removes them"
    assert pids(stack) == others

    databases.up()
    assert not databases.server("legacy").exists()
    assert resolve_endpoints(settings).legacy is None


@pytest.mark.soak
def test_a_stack_adopts_servers_that_run_and_the_reverse(new_stack: NewStack) -> None:
    stack = new_stack()
    databases = EmbeddedDatabases(stack.state)
    databases.up()
    running = pids(stack)
    contents = {name: fingerprint(databases.url(name, "owner")) for name in NAMES}

    assert servers(stack.up()) == {("create", name) for name in NAMES}
    assert pids(stack) == running
    databases.up()
    assert pids(stack) == running
    assert stack.preview() == ()
    assert {name: fingerprint(databases.url(name, "owner")) for name in NAMES} == contents


@pytest.mark.soak
def test_an_interrupted_up_is_finished_by_the_next(
    new_stack: NewStack, command_line: CommandLine
) -> None:
    stack = new_stack()
    running = command_line.start(("up", "--target", "embedded"), told(stack.state))
    running.wait_for(stack.state.root / "ports.json")  # the first server is there
    running.kill()
    locks = list(stack.state.root.glob("pulumi/backend/.pulumi/locks/*/*/*/*.json"))
    assert locks, "it was killed while it held the stack"
    stack.up()
    assert stack.preview() == ()
    assert None not in pids(stack).values()


@pytest.mark.soak
def test_a_stack_that_somebody_works_on_is_left_alone(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.preview()
    folder = stack.state.root / "pulumi/backend/.pulumi/locks/organization/sigmasight/embedded"
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "somebody.json"
    lock.write_text(
        json.dumps(
            {
                "pid": os.getpid(),
                "username": "somebody",
                "hostname": os.uname().nodename,
                "timestamp": "2026-01-02T03:04:05Z",
            }
        )
    )
    with pytest.raises(BusyError, match="wait until it is done, or, if none runs"):
        stack.up()
    assert lock.exists()
    assert set(pids(stack).values()) == {None}


@pytest.mark.soak
def test_a_wrong_passphrase_is_one_line(
    new_stack: NewStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = new_stack()
    stack.preview()
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "not-it")
    again = new_stack(stack.state)
    with pytest.raises(ConfigurationError, match=r"^the passphrase does not open this stack"):
        again.up()
    assert set(pids(stack).values()) == {None}


def test_a_stack_without_its_target_is_refused(homes: Homes, engine: str) -> None:
    stack = DrivenStack(homes(), None, "blue", lambda _line: None)
    with pytest.raises(ConfigurationError, match="no stack blue yet; say what it is by --target"):
        stack.up()


def told(state: StateFolder) -> dict[str, str | Path]:
    """What commands on a state folder are told, the build of the command line included."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return {"SIGMASIGHT_HOME": state.root, "XDG_CACHE_HOME": cache}


@pytest.mark.soak
def test_the_phases_run_on_a_declared_stack(new_stack: NewStack, command_line: CommandLine) -> None:
    """Up, rebuild, up: the commands that users type, with every password watched."""
    stack = new_stack()
    canary = f"canary{secrets.token_hex(8)}"
    names = [f"{name}_{role}" for name in NAMES for role in ROLES]
    names += ["backend_secret_key", "pulumi_passphrase", "demo_password"]
    stack.state.write("secrets", {name: f"{canary}-{name}%/@é" for name in names})
    outcomes: list[Outcome] = []

    def command(*words: str) -> Outcome:
        outcomes.append(command_line.run(*words, **told(stack.state)))
        assert outcomes[-1].code == 0, outcomes[-1]
        return outcomes[-1]

    command("up", "--target", "embedded", "--preview")
    assert not EmbeddedDatabases(stack.state).exists()
    assert "done: create EmbeddedInstance core" in command("up", "--target", "embedded").err
    running = pids(stack)
    command("rebuild", *TEN_DAYS)
    databases = EmbeddedDatabases(stack.state)
    contents = {name: database_hash(databases.url(name, "owner")) for name in NAMES}
    prints = {name: fingerprint(databases.url(name, "owner")) for name in ("core", "ai")}

    assert "stack embedded: 0 changes" in command("up", "--target", "embedded").err
    assert pids(stack) == running
    assert {n: database_hash(databases.url(n, "owner")) for n in contents} == contents
    assert {n: fingerprint(databases.url(n, "owner")) for n in prints} == prints

    assert canary in json.dumps(stack.outputs())
    assert canary not in json.dumps(stack.export())
    assert [outcome for outcome in outcomes if canary in outcome.out + outcome.err] == []
    assert files_with(canary, stack.state.root) == {"secrets.json"}
    assert files_with("stack-changes", command_line.prefect.state.root)
    assert files_with(canary, command_line.prefect.state.root) == set()
