"""The program records the stack that it has brought up, whoever ran the engine."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pulumi
import pulumi_docker as docker
import pytest
from sqlalchemy.engine import URL

from app.chain_folders import PROJECT_ROOT
from infra import automation
from infra.automation import Changes, DrivenStack
from infra.docker import containers
from infra.docker.images import pulled_image
from infra.docker.settings import docker_settings
from infra.driven import goes_with_legacy
from infra.program import declare
from infra.pulumi_cli import login_in_use, own_backend
from infra.stack_config import StackConfig
from infra.topology import Topology
from ops.books.active_pair import Pair
from ops.books.declared_stack import (
    RecordedStack,
    Target,
    declared,
    record_declared,
)
from ops.books.marker import keep_books
from ops.connection import conninfo
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from tests.infra.docker_program import canaries, docker_program
from tests.infra.mocks import run_program
from tests.infra.test_external_program import SECRETS
from tests.served_pair import have_serve

LAUNCHER = PROJECT_ROOT / "infra" / "bin" / "pulumi-resource-pulumi-python"
ELSEWHERE = "file:///var/lib/stacks"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    """A state folder that is not there yet."""
    for name in (*OperatorSettings.model_fields, "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return StateFolder(tmp_path / "home" / "state")


def test_a_stack_that_is_up_is_recorded_with_what_the_phases_need(state: StateFolder) -> None:
    outputs = docker_program(state=state, active="old").outputs
    found = declared(state)
    assert found.urls == {f: outputs[f"{f}_url"].value for f in ("core", "ai", "legacy")}
    assert (found.target, found.name) == ("docker", "docker")
    assert (found.active, found.login) == ("old", None)
    assert state.read("stack")["backend"] == outputs["backend_url"] == "http://127.0.0.1:8000"


def test_backend_and_phases_are_told_of_the_same_number_of_processes(state: StateFolder) -> None:
    def known(**given: str) -> int:
        told = {"SIGMASIGHT_HOME": state.root, **given}
        return OperatorSettings.model_validate(told).replicas

    assert known() == 1, "embedded"
    outputs = docker_program(state=state, backendReplicas="3").outputs
    assert outputs["backend_environment"].value["BACKEND_REPLICAS"] == "3"
    assert (known(), known(BACKEND_REPLICAS="4")) == (3, 4)


def test_the_backend_is_told_what_the_operator_tells_it_more(state: StateFolder) -> None:
    more = '{"ADMIN_EMAILS": "ann@example.com", "FORWARDED_ALLOW_IPS": "10.0.0.0/8", "LOG": 5}'
    outputs = docker_program(state=state, backendEnvironment=more).outputs
    told = outputs["backend_environment"].value
    names = ("ADMIN_EMAILS", "FORWARDED_ALLOW_IPS", "LOG", "PORT")
    assert [told[name] for name in names] == ["ann@example.com", "10.0.0.0/8", "5", "8000"]


def test_a_preview_records_nothing(state: StateFolder) -> None:
    docker_program(state=state, active="old", dry_run=True)
    assert state.root.is_dir()
    assert state.read("stack") == {}


def test_a_pair_that_somebody_has_set_is_refused_where_core_says_another(
    state: StateFolder, core_url: URL
) -> None:
    state.create()
    record_declared(
        state, RecordedStack("docker", {"core": conninfo(core_url)}, name="docker", active="old")
    )
    with pytest.raises(pulumi.RunError, match=r"active: new, but old serves; .*`sigmasight swap`"):
        docker_program(state=state, active="new", dry_run=True)
    keep_books(core_url, "core")
    have_serve(core_url, "new")
    with pytest.raises(pulumi.RunError, match=r"but new serves.*set sigmasight:active new`"):
        docker_program(state=state, active="old")
    docker_program(state=state, active="new")
    assert declared(state).active == "old", "what the last cutover recorded here"


@pytest.mark.parametrize(
    ("recorded", "kept"), [({}, "old"), ({"active": None}, "new"), ({"active": "old"}, "old")]
)
def test_the_configuration_decides_the_pair_only_for_what_an_earlier_version_brought_up(
    state: StateFolder, recorded: dict[str, Pair | None], kept: Pair
) -> None:
    state.create()
    if recorded:
        url = "postgresql://owner:p@127.0.0.1:1/core"
        record_declared(state, RecordedStack("docker", {"core": url}, name="docker", **recorded))
    docker_program(state=state, active="new")
    assert declared(state).active == kept


def test_a_stack_without_the_old_database_forgets_its_address(state: StateFolder) -> None:
    state.create()
    gone = {"legacy": "postgresql://owner:p@127.0.0.1:1/old"}
    record_declared(state, RecordedStack("docker", gone, name="docker", active="new"))
    docker_program(state=state, legacy="absent")
    assert "legacy" not in declared(state).urls


def test_a_stack_is_recorded_with_where_its_state_lies(state: StateFolder) -> None:
    told = {"target": "external", "active": "old"}
    run_program(told, SECRETS, partial(declare, login=ELSEWHERE), state=state, stack="blue")
    assert (declared(state).target, declared(state).login) == ("external", ELSEWHERE)
    assert DrivenStack(state, None, "blue", print).login == ELSEWHERE
    assert DrivenStack(state, None, "green", print).login is None, "another stack is ours"


@pytest.mark.parametrize(
    ("stack", "configured", "target"),
    [("docker", "", "docker"), ("blue", "docker", "docker"), ("embedded", "docker", "docker")],
)
def test_a_stack_is_for_the_target_that_it_is_named_after(
    state: StateFolder, stack: str, configured: str, target: str
) -> None:
    secrets = canaries(Topology("docker", "present", "old"))
    found = run_program({"target": configured}, secrets, declare, state=state, stack=stack)
    assert found.outputs["target"] == target


@pytest.mark.parametrize(
    ("known", "named"), [({}, True), ({"secretKey": "x"}, False), ({"identity": "3f9c"}, False)]
)
def test_only_a_new_docker_stack_gets_names_of_its_own(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch, known: dict[str, str], named: bool
) -> None:
    """Volumes of a stack from before keep the names that they have."""
    configured: dict[str, str] = {}
    monkeypatch.setattr(DrivenStack, "configuration", lambda _self: known)
    monkeypatch.setattr(DrivenStack, "configure", lambda _self, **told: configured.update(told))
    monkeypatch.setattr(DrivenStack, "configure_secret", lambda _self, _key, _value: None)
    DrivenStack(state, "docker", "docker", print)._complete_configuration()
    assert ("identity" in configured) is named


@pytest.mark.parametrize(("target", "looked"), [("docker", True), ("external", False)])
def test_the_engine_looks_at_containers_before_it_compares(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch, target: str, looked: bool
) -> None:
    """Docker's provider would not notice that one has gone."""
    told: list[bool] = []

    def asked(**words: bool) -> None:
        told.extend([words["refresh"], words["run_program"]])

    engine = SimpleNamespace(up=asked, preview=asked)
    known = {"target": target, "secretKey": "x"}
    monkeypatch.setattr(DrivenStack, "configuration", lambda _self: known)
    monkeypatch.setattr(DrivenStack, "configure_secret", lambda _self, _key, _value: None)
    monkeypatch.setattr(DrivenStack, "export", lambda _self: {})
    monkeypatch.setattr(DrivenStack, "_stack", lambda _self: engine)
    stack = DrivenStack(state, None, "blue", print)
    stack.preview()
    stack.up()
    assert told == [looked] * 4


def test_where_the_engine_keeps_its_state_is_asked_of_the_command_line(
    state: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.create()
    (tmp_path / "pulumi").write_text(
        f'#!/bin/sh\n[ $1 = version ] && echo v3.250.0 || echo \'{{"url": "{ELSEWHERE}"}}\'\n'
    )
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    assert login_in_use(state) == ELSEWHERE
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    assert login_in_use(state) == "s3://bucket"
    monkeypatch.setenv("PULUMI_BACKEND_URL", own_backend(state))
    assert login_in_use(state) is None


def test_the_provider_runs_in_the_projects_folder_and_environment(tmp_path: Path) -> None:
    """Wherever the engine stands; Pulumi's own launcher looks for the environment there."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text('#!/bin/sh\necho "$PWD" "$@"\n')
    (tmp_path / "bin" / "python").chmod(0o755)
    told = {"PATH": os.defpath, "PULUMI_RUNTIME_VIRTUALENV": str(tmp_path)}
    said = subprocess.check_output([LAUNCHER, "1:2"], cwd=tmp_path, env=told, text=True)
    assert said == f"{PROJECT_ROOT} -u -m infra.provider_host 1:2\n"


@pytest.mark.parametrize(
    ("target", "goes"),
    [("docker", {"container sigmasight-blue-3f9c-legacy": "of the stack blue"}), ("external", {})],
)
def test_the_plan_of_a_cleanup_names_what_the_stack_will_remove(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch, target: Target, goes: dict[str, str]
) -> None:
    monkeypatch.setattr(DrivenStack, "configuration", lambda _self: {"identity": "3f9c"})
    assert goes_with_legacy(DrivenStack(state, target, "blue", print)) == goes


def database_on_docker(state: StateFolder) -> None:
    """A network, an image, a volume and a container, as the docker target declares them."""
    config = StackConfig(state)
    host = containers.docker_host(docker_settings(config.topology(), config))
    image = pulled_image(host, "database-image", host.settings.database_image)
    parent = pulumi.ComponentResource("sigmasight:infra:PostgresInstance", "core")
    host.volume("core", parent)
    docker.Container("core", image=image, opts=host.container_options(parent))


def changes(changed: Changes) -> set[tuple[str, str]]:
    return {(change.operation, change.resource) for change in changed}


def test_a_stack_that_named_no_provider_gets_one_and_keeps_all_that_it_has(
    engine: str, homes: Callable[[], StateFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "pulumi-resource-docker"
    plugin.write_text(f"#!/bin/sh\nexec {sys.executable} -m tests.infra.docker_provider\n")
    plugin.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT_ROOT))
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker.example:2376")
    monkeypatch.setattr(automation, "declare", lambda state, *_: database_on_docker(state))
    monkeypatch.setattr(DrivenStack, "_complete_configuration", lambda _self: "docker")
    stack = DrivenStack(homes(), "docker", "docker", print)
    with monkeypatch.context() as before:
        before.setattr(containers, "_provider", lambda: None)
        assert ("create", "core-data") in changes(stack.up())
    assert changes(stack.up()) == {("update", "docker")}
    monkeypatch.setenv("DOCKER_HOST", "tcp://moved.example:2376")
    assert changes(stack.preview()) == {("update", "docker")}, "where a plan shows it"
