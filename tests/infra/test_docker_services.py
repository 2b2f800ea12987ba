"""The docker target's backend and Prefect, property by property, in the engine's place."""

from typing import Any

import pytest
from sqlalchemy.engine import make_url

from app.config import Settings
from infra.policies.rules import Hidden
from ops.migrate import heads
from ops.settings import OperatorSettings
from tests.infra.docker_program import (
    BACKEND,
    BUILT_IMAGE,
    CONTAINER,
    MIGRATION,
    PREFECT_IMAGE,
    REMOTE_IMAGE,
    SIGNING_KEY,
    docker_program,
)
from tests.infra.mocks import BUILT_ID, IMAGE_ID, Program


@pytest.fixture(scope="module")
def program() -> Program:
    return docker_program()


@pytest.fixture(scope="module")
def with_prefect() -> Program:
    return docker_program(prefect="true", prefectImage=PREFECT_IMAGE)


def environment(container_envs: object) -> dict[str, str]:
    assert isinstance(container_envs, Hidden), "the environment is not secret"
    return dict(entry.split("=", 1) for entry in container_envs.value)


# Backend


def test_the_backend_is_built_from_the_dockerfile_on_the_base_image() -> None:
    base = "registry.example/python@sha256:" + "c" * 64
    image = docker_program(baseImage=base).one(BUILT_IMAGE, "backend-image")
    assert image.inputs["build"]["args"] == {"BASE_IMAGE": base}
    assert image.inputs["build"]["dockerfile"].endswith("/Dockerfile")
    assert image.inputs["skipPush"] is True


def test_the_backend_runs_the_built_image_by_its_id(program: Program) -> None:
    assert program.one(CONTAINER, "backend").inputs["image"] == BUILT_ID


def test_a_finished_image_is_not_built_again() -> None:
    image = "registry.example/backend@sha256:" + "d" * 64
    found = docker_program(backendImage=image)
    assert found.of_type(BUILT_IMAGE) == []
    assert found.one(REMOTE_IMAGE, "backend-image").inputs["name"] == image
    assert found.one(CONTAINER, "backend").inputs["image"] == IMAGE_ID


def test_both_pairs_reach_the_backend_as_three_secret_addresses(program: Program) -> None:
    found = environment(program.one(CONTAINER, "backend").inputs["envs"])
    core, ai = make_url(found["DATABASE_URL"]), make_url(found["AI_DATABASE_URL"])
    assert (core.host, core.port, core.database) == (
        "sigmasight-docker-core",
        5432,
        "sigmasight_core",
    )
    assert (core.username, core.password) == ("sigmasight_app", "canary-coreAppPassword@:/%")
    assert (ai.host, ai.port, ai.database) == ("sigmasight-docker-ai", 5432, "sigmasight_ai")
    assert (ai.username, ai.password) == ("sigmasight_app", "canary-aiAppPassword@:/%")
    old = make_url(found["LEGACY_DATABASE_URL"])
    assert (old.host, old.port, old.database) == ("sigmasight-docker-legacy", 5432, "sigmasight")
    assert (old.username, old.password) == ("sigmasight_app", "canary-legacyAppPassword@:/%")
    assert found["ACTIVE_PAIR"] == "gate"
    assert program.outputs["backend_environment"] == Hidden(found)
    Settings.model_validate(found)  # within the network there is no TLS


def test_the_chains_are_run_before_the_backend_whose_container_is_not_told_the_owners_password(
    program: Program,
) -> None:
    backend = program.one(CONTAINER, "backend")
    assert {"core-migration", "ai-migration"} <= backend.dependencies
    assert "OwnerPassword" not in str(backend.inputs)
    for chain in ("core", "ai"):
        migration = program.one(MIGRATION, f"{chain}-migration")
        assert (migration.parent, migration.dependencies) == (chain, {f"{chain}-provisioning"})
        inputs = migration.inputs
        assert make_url(inputs["owner_url"].value).username == "sigmasight_owner"
        assert (inputs["heads"], inputs["system_identifier"]) == (list(heads(chain)), "7412")


def test_a_backend_that_runs_elsewhere_migrates_at_its_start() -> None:
    found = docker_program(backendContainer="false")
    assert found.of_type(MIGRATION) == []
    told = found.outputs["backend_environment"].value
    assert make_url(told["DATABASE_ADMIN_URL"]).username == "sigmasight_owner"
    assert make_url(told["AI_DATABASE_ADMIN_URL"]).username == "sigmasight_owner"
    assert "LEGACY_DATABASE_ADMIN_URL" not in told, "it is left alone"


def test_tokens_are_signed_with_the_stacks_key(program: Program) -> None:
    found = environment(program.one(CONTAINER, "backend").inputs["envs"])
    assert found["SECRET_KEY"] == SIGNING_KEY


def test_the_backend_waits_for_the_roles_of_every_database(program: Program) -> None:
    needed = program.one(CONTAINER, "backend").dependencies
    assert {"legacy-provisioning", "core-provisioning", "ai-provisioning"} <= needed


def test_the_backend_runs_the_start_command_healthy_on_loopback(program: Program) -> None:
    inputs = program.one(CONTAINER, "backend").inputs
    assert inputs["command"][:2] == ["sh", "-c"]
    assert "alembic -c alembic.ini upgrade head" in inputs["command"][2]
    assert environment(inputs["envs"])["HOST"] == "0.0.0.0"
    assert inputs["ports"] == [{"internal": 8000, "external": 8000, "ip": "127.0.0.1"}]
    assert "/health" in inputs["healthcheck"]["tests"][-1]
    assert inputs["wait"] is True
    assert inputs["restart"] == "unless-stopped"
    assert program.one(CONTAINER, "backend").parent == "backend"


def test_the_backend_starts_before_the_seed(program: Program) -> None:
    found = environment(program.one(CONTAINER, "backend").inputs["envs"])
    assert found["SKIP_STARTUP_VALIDATION"] == "true"


def test_the_databases_can_be_had_without_a_backend_container() -> None:
    found = docker_program(backendContainer="false")
    assert (CONTAINER, "backend") not in found.resources
    assert found.of_type(BUILT_IMAGE) == []
    assert isinstance(found.outputs["backend_environment"], Hidden)
    assert "backend_url" not in found.outputs


# What a swap changes


def everything(program: Program) -> dict[tuple[str, str], object]:
    return {key: (found.inputs, found.dependencies) for key, found in program.resources.items()}


@pytest.mark.parametrize(
    "config",
    [{"active": "old"}, {"staged": "new", "stagedPort": "8123", "backendHeld": "true"}],
    ids=["the active pair", "what a swap of an earlier version has left"],
)
def test_no_resource_depends_on(config: dict[str, Any], program: Program) -> None:
    found = docker_program(**config)
    assert everything(found) == everything(program)
    assert found.outputs == {**program.outputs, "active": config.get("active", "new")}


def test_after_the_cleanup_the_new_pair_is_all_there_is() -> None:
    found = docker_program(legacy="absent")
    told = environment(found.one(CONTAINER, "backend").inputs["envs"])
    assert (told["ACTIVE_PAIR"], "LEGACY_DATABASE_URL" in told) == ("new", False)
    assert "legacy-provisioning" not in found.one(CONTAINER, "backend").dependencies
    assert found.one(BACKEND, "backend").inputs == {"pair": "new"}, "a plan shows the change"


# Prefect


def test_prefect_is_absent_unless_asked_for(program: Program) -> None:
    assert not [name for _, name in program.resources if "prefect" in name or "worker" in name]


def test_the_prefect_server_keeps_its_history_and_stays_on_loopback(
    with_prefect: Program,
) -> None:
    inputs = with_prefect.one(CONTAINER, "prefect-server").inputs
    assert inputs["volumes"] == [
        {"volumeName": "sigmasight-docker-prefect-data", "containerPath": "/var/lib/prefect"}
    ]
    assert "PREFECT_HOME=/var/lib/prefect" in inputs["envs"]
    assert inputs["ports"] == [{"internal": 4200, "external": 4200, "ip": "127.0.0.1"}]
    assert "/api/health" in inputs["healthcheck"]["tests"][-1]
    assert with_prefect.outputs["prefect_api_url"] == "http://127.0.0.1:4200/api"


def test_the_worker_gets_the_owners_addresses_secretly(with_prefect: Program) -> None:
    worker = with_prefect.one(CONTAINER, "prefect-worker")
    found = environment(worker.inputs["envs"])
    assert found["PREFECT_API_URL"] == "http://sigmasight-docker-prefect:4200/api"
    assert make_url(found["DATABASE_URL"]).username == "sigmasight_owner"
    assert make_url(found["AI_DATABASE_URL"]).host == "sigmasight-docker-ai"
    assert make_url(found["LEGACY_DATABASE_URL"]).host == "sigmasight-docker-legacy"
    OperatorSettings.model_validate(found)
    assert "prefect-server" in worker.dependencies
    assert worker.inputs["command"][:5] == ["prefect", "worker", "start", "--pool", "sigmasight"]


def test_the_worker_may_have_an_image_of_its_own() -> None:
    image = "registry.example/worker@sha256:" + "e" * 64
    found = docker_program(prefect="true", prefectImage=PREFECT_IMAGE, workerImage=image)
    assert found.one(REMOTE_IMAGE, "worker-image").inputs["name"] == image
