"""The commands on embedded servers: backup, dry run, approval, and a firing of the schedule."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import URL

from flows.prefect_server import PrefectServer
from ops.books.backups import record_dump
from ops.books.tombstones import cleaned_up
from ops.cleanup.conditions import CONDITIONS
from ops.cleanup.dates import NEW_YORK
from ops.cleanup.facts import Facts
from ops.cleanup.own_server import remove_server
from ops.cleanup.scene import scene_of
from ops.connection import conninfo
from ops.embedded.databases import NAMES, EmbeddedDatabases, Name
from ops.embedded.server import EmbeddedServer
from ops.errors import RefusedError, SigmaSightError
from ops.settings import OperatorSettings
from tests.acceptance.command_line import CommandLine
from tests.databases import create_database
from tests.integration.cleanup.swapped_world import (
    LEGACY_TABLES,
    World,
    changed,
    make_files,
    swap_in,
)
from tests.prefect_session import ask, session_prefect


@pytest.fixture(scope="module")
def prefect(pytestconfig: pytest.Config) -> PrefectServer:
    return session_prefect(pytestconfig)


@pytest.fixture(scope="module")
def commands(prefect: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(prefect, tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="module")
def embedded() -> Iterator[World]:
    """The three embedded servers, swapped."""
    with on_own_servers() as world:
        yield world


@pytest.fixture(scope="module")
def old_server_apart(
    server: EmbeddedServer, core_template: str, ai_template: str
) -> Iterator[World]:
    """The old database's embedded server, swapped to databases of another server."""
    core, ai = create_database(server, core_template), create_database(server, ai_template)
    with on_own_servers({"core": core, "ai": ai}) as world:
        yield world


@contextmanager
def on_own_servers(given: Mapping[Name, URL] = MappingProxyType({})) -> Iterator[World]:
    """Embedded servers but for what is given; not below pytest's folders, which are closed."""
    root = Path(tempfile.mkdtemp(prefix="sigmasight-cleanup-"))
    root.chmod(0o711)
    make_files(root)
    world = World(*(None,) * 4, root)  # type: ignore[arg-type]
    databases = EmbeddedDatabases(world.state)
    try:
        made = databases.up(tuple(name for name in NAMES if name not in given))
        world.state.update("ports", **{name: url.port for name, url in given.items()})
        urls = {**made, **given}
        world.core, world.ai, world.legacy = urls["core"], urls["ai"], urls["legacy"]
        world.maintenance = databases.server("legacy").url()
        world.ask(world.legacy, LEGACY_TABLES)
        swap_in(world, backups="none")
        yield world
    finally:
        databases.down()
        shutil.rmtree((world.state.root / "servers").resolve(), ignore_errors=True)
        shutil.rmtree(root)


def environment(world: World) -> dict[str, str]:
    """On the set day, after two o'clock."""
    day = (datetime.now(NEW_YORK) - timedelta(hours=2)).date()
    return {
        "SIGMASIGHT_HOME": str(world.state.root),
        "BACKUP_FOLDER": str(world.root / "backups"),
        "CLEANUP_FOLDERS": str(world.root / "dumps"),
        "REPOSITORY_FOLDER": str(world.root / "dumps" / "repository"),
        "CLEANUP_DATE": day.isoformat(),
    }


def fire(world: World, prefect: PrefectServer) -> subprocess.CompletedProcess[str]:
    """What a worker runs when the schedule fires."""
    return subprocess.run(
        [sys.executable, "-c", "from flows.cleanup import cleanup; cleanup(execute=True)"],
        env={**os.environ, **environment(world), "PREFECT_API_URL": prefect.api_url or ""},
        capture_output=True,
        text=True,
    )


def names(prefect: PrefectServer) -> set[str]:
    runs = ask(prefect, "flow_runs/filter", {"sort": "START_TIME_DESC"})
    return {run["name"] for run in runs}


ELSE = (
    ("database precious", "CREATE DATABASE precious", "DROP DATABASE precious"),
    ("role reporting", "CREATE ROLE reporting", "DROP ROLE reporting"),
    ("public.kept of database postgres", "CREATE TABLE kept (x int)", "DROP TABLE kept"),
    ("schema apart of", "CREATE SCHEMA apart", "DROP SCHEMA apart"),
    ("large object 77", "SELECT lo_create(77)", "SELECT lo_unlink(77)"),
    (
        "replication slot follower",
        "SELECT pg_create_physical_replication_slot('follower')",
        "SELECT pg_drop_replication_slot('follower')",
    ),
)


@contextmanager
def file_of_somebody(folder: Path) -> Iterator[str]:
    (folder / "notes.txt").touch()
    yield f"file {folder / 'notes.txt'}"
    (folder / "notes.txt").unlink()


@contextmanager
def backup_in(world: World, folder: Path) -> Iterator[str]:
    file = folder / "pg_dumps" / "core.dump"
    record_dump(world.core, "core", {}, Path(__file__), "", {}, datetime.now(NEW_YORK))
    world.ask(world.core, "UPDATE ops.backups SET path = %s", str(file))
    yield f"holds the backup {file}"
    world.ask(world.core, "DELETE FROM ops.backups")


@contextmanager
def client_of(world: World) -> Iterator[str]:
    with psycopg.connect(conninfo(world.maintenance), application_name="psql"):
        yield "(psql) of database postgres"


@contextmanager
def made(world: World, name: str, make: str, unmake: str) -> Iterator[str]:
    with changed(world, world.maintenance, make, unmake):
        yield name


def test_a_server_goes_only_when_it_holds_nothing_else(old_server_apart: World) -> None:
    databases = EmbeddedDatabases(old_server_apart.state)
    server = databases.server("legacy")
    scene = old_server_apart.scene(own_server=databases, stack=None)
    ask_whether = CONDITIONS["its server holds nothing else"]
    assert ask_whether(Facts(scene)).met
    for damage in (
        *(made(old_server_apart, *case) for case in ELSE),
        client_of(old_server_apart),
        file_of_somebody(server.folder),
        file_of_somebody(server.data),
        backup_in(old_server_apart, server.data),
    ):
        with damage as named, pytest.raises(SigmaSightError, match=re.escape(named)):
            ask_whether(Facts(scene))
    with pytest.raises(RefusedError, match="database sigmasight;"):
        remove_server(scene)
    assert ask_whether(Facts(scene)).met
    assert old_server_apart.ask(old_server_apart.maintenance, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("target", ["embedded", "external"])
def test_of_servers_that_are_given_by_address_only_the_database_goes(
    old_server_apart: World, target: str
) -> None:
    given = {"LEGACY_DATABASE_URL": conninfo(old_server_apart.legacy)}
    if target == "external":
        given |= {
            "DATABASE_URL": conninfo(old_server_apart.core),
            "AI_DATABASE_URL": conninfo(old_server_apart.ai),
        }
    home = {"SIGMASIGHT_HOME": str(old_server_apart.state.root), "MAINTENANCE_DATABASE": "upkeep"}
    assert scene_of(OperatorSettings.model_validate(home)).own_server is not None
    scene = scene_of(OperatorSettings.model_validate({**home, **given}))
    assert scene.own_server is None
    assert scene.maintenance == old_server_apart.legacy.set(database="upkeep")


@pytest.mark.soak
def test_from_a_backup_to_a_cleanup_that_the_schedule_executes(
    embedded: World, commands: CommandLine, prefect: PrefectServer
) -> None:
    told: dict[str, Any] = environment(embedded)
    backed = commands.run("backup", **told)
    assert backed.code == 0, backed
    files = sorted(path.name.split("-")[0] for path in (embedded.root / "backups").iterdir())
    assert files == ["ai", "core", "legacy"]
    assert "backup everything" in names(prefect)

    shown = commands.run("cleanup", **told)
    assert shown.code == 0, shown
    said = " ".join((shown.out + shown.err).split())
    assert "every condition holds; plan id " in said, shown
    plan_id = said.split("every condition holds; plan id ")[1].split(":")[0]
    assert "cleanup (dry run)" in names(prefect)
    assert cleaned_up(embedded.core) is None

    refused = commands.run("cleanup", "--execute", **told)
    assert refused.code != 0
    assert refused.errors == [
        "error: say which plan: run `sigmasight cleanup`, then --plan-id its id"
    ]
    moved = commands.run("cleanup", "--execute", "--plan-id", "000000000000", **told)
    assert moved.code != 0
    assert len(moved.errors) == 1
    assert "no dry run has shown a plan 000000000000" in moved.errors[0]
    assert cleaned_up(embedded.core) is None

    unapproved = fire(embedded, prefect)
    assert unapproved.returncode == 0, unapproved.stderr
    assert cleaned_up(embedded.core) is None, "a date alone removes nothing"
    approved = commands.run("cleanup", "--approve", plan_id, **told)
    assert approved.code == 0, approved
    fired = fire(embedded, prefect)
    assert fired.returncode == 0, fired.stderr

    done = cleaned_up(embedded.core)
    assert done is not None
    assert (done.state, done.plan_id) == ("done", plan_id)
    assert done.removed["outcome"]["database"] == "dropped"
    assert done.removed["outcome"]["server"] == "removed"
    databases = EmbeddedDatabases(embedded.state)
    assert databases.names() == ("core", "ai")
    assert not databases.server("legacy").folder.exists()
    assert not (embedded.root / "dumps" / "old.sql").exists()

    again = commands.run("cleanup", **told)
    assert again.code == 0, again
    assert f"already done: cleanup {plan_id}" in " ".join((again.out + again.err).split())
    assert cleaned_up(embedded.core) == done
    artifacts = ask(prefect, "artifacts/filter", {"limit": 200})
    assert {"cleanup-plan", "backup-files"} <= {one["key"] for one in artifacts}

    after = commands.run("backup", **told)
    assert after.code == 0, after
    assert len(list((embedded.root / "backups").glob("legacy-*.dump"))) == 1, "its dump stays"
    assert len(list((embedded.root / "backups").glob("core-*.dump"))) == 2
