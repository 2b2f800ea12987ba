"""Each rule of the policy pack: a resource that keeps it, and one that breaks it."""

from pathlib import Path
from typing import Any

import pytest

from infra.policies.rules import (
    BUILT_IMAGE,
    CONTAINER,
    REMOTE_IMAGE,
    RULES,
    VOLUME,
    Allowances,
    Declared,
    Hidden,
    is_pinned,
    violations,
)

DIGEST = "sha256:" + "0" * 64
DATABASE = [{"label": "sigmasight.role", "value": "database"}]


def container(**changed: Any) -> Declared:
    """A container that keeps every rule, but for what is changed."""
    kept = {
        "image": DIGEST,
        "healthcheck": {"tests": ["CMD", "true"]},
        "ports": [{"internal": 5432, "external": 5441, "ip": "127.0.0.1"}],
        "envs": ["POSTGRES_PASSWORD_FILE=/run/secrets/p", "PORT=8000"],
        "labels": DATABASE,
        "command": ["postgres", "-c", "maintenance_work_mem=128MB"],
        "shmSize": 128,
    }
    return Declared(CONTAINER, "c", {**kept, **changed}, protect=False, secrets_visible=True)


def volume(*, protect: bool = True, retained: bool | None = True) -> Declared:
    return Declared(VOLUME, "v", {"name": "v"}, protect, retained)


def image(type_: str, **properties: Any) -> Declared:
    return Declared(type_, "i", properties, protect=False)


def test_a_good_container_breaks_nothing() -> None:
    assert violations(container(), Allowances()) == []


def test_volumes_must_be_protected() -> None:
    assert violations(volume(), Allowances()) == []
    (line,) = violations(volume(protect=False), Allowances())
    assert "v is not protected" in line


def test_volumes_must_be_retained() -> None:
    (line,) = violations(volume(retained=False), Allowances())
    assert "v is not retained" in line


def test_retention_that_the_policy_engine_does_not_tell_passes() -> None:
    assert violations(volume(retained=None), Allowances()) == []


@pytest.mark.parametrize("check", [None, {}, {"tests": []}, {"tests": ["NONE"]}])
def test_containers_must_have_a_health_check(check: Any) -> None:
    (line,) = violations(container(healthcheck=check), Allowances())
    assert line == "container c has no health check"


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "", None])
def test_ports_must_not_be_open_to_everyone(address: str | None) -> None:
    ports = [{"internal": 5432, "external": 5441, "ip": address}]
    (line,) = violations(container(ports=ports), Allowances())
    assert "publishes port 5432 on every address" in line
    assert violations(container(ports=ports), Allowances(public_ports=True)) == []


def test_a_port_without_any_address_is_open_to_everyone() -> None:
    assert violations(container(ports=[{"internal": 80}]), Allowances())
    assert violations(container(publishAllPorts=True), Allowances())


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "::1"])
def test_ports_may_be_bound_to_one_address(address: str) -> None:
    assert violations(container(ports=[{"internal": 5432, "ip": address}]), Allowances()) == []


@pytest.mark.parametrize(
    "resource",
    [
        image(REMOTE_IMAGE, name="pgvector/pgvector:pg17"),
        image(BUILT_IMAGE, build={"args": {"BASE_IMAGE": "python:3.11"}}),
        container(image="postgres:17"),
    ],
    ids=["pulled", "built", "run"],
)
def test_images_must_be_pinned(resource: Declared) -> None:
    (line,) = violations(resource, Allowances())
    assert "without a digest" in line
    assert violations(resource, Allowances(local_image=True)) == []


@pytest.mark.parametrize(
    "resource",
    [
        image(REMOTE_IMAGE, name=f"registry.example:5000/a/b:tag@{DIGEST}"),
        image(BUILT_IMAGE, build={"args": {"BASE_IMAGE": f"python@{DIGEST}", "EXTRA": "x"}}),
        container(image=DIGEST),
        container(image=None),  # not known yet at preview
    ],
    ids=["pulled", "built", "run", "unknown"],
)
def test_pinned_images_pass(resource: Declared) -> None:
    assert violations(resource, Allowances()) == []


@pytest.mark.parametrize("name", ["a", "a:b", "a@sha256:12", f"a@{DIGEST}0", f"a{DIGEST}x"])
def test_what_is_no_digest_is_no_pin(name: str) -> None:
    assert not is_pinned(name)


@pytest.mark.parametrize(
    "entry",
    ["DB_PASSWORD=x", "API_KEY=x", "AUTH_TOKEN=x", "CLIENT_SECRET=x", "DATABASE_URL=p://a:x@h/d"],
)
def test_a_secret_must_not_stand_in_a_plain_environment(entry: str) -> None:
    (line,) = violations(container(envs=[entry], labels=[]), Allowances())
    assert "plain environment" in line
    assert "=x" not in line


@pytest.mark.parametrize(
    "envs", [Hidden(["DB_PASSWORD=x"]), [Hidden("DB_PASSWORD=x")]], ids=["whole", "entry"]
)
def test_a_hidden_environment_passes(envs: Any) -> None:
    assert violations(container(envs=envs, labels=[]), Allowances()) == []


@pytest.mark.parametrize("entry", ["DATABASE_URL=postgresql://host/db", "TZ=UTC", "MONKEY=x"])
def test_an_ordinary_variable_is_no_secret(entry: str) -> None:
    assert violations(container(envs=[entry], labels=[]), Allowances()) == []


def test_a_database_gets_no_password_by_environment_even_if_hidden() -> None:
    (line,) = violations(container(envs=Hidden(["POSTGRES_PASSWORD=x"])), Allowances())
    assert "give POSTGRES_PASSWORD_FILE" in line
    assert "=x" not in line


@pytest.mark.parametrize(
    ("setting", "shm", "kept"),
    [
        ("maintenance_work_mem=128MB", 128, True),
        ("maintenance_work_mem=128MB", 127, False),
        ("maintenance_work_mem=1GB", 1024, True),
        ("maintenance_work_mem=1GB", 1000, False),
        ("maintenance_work_mem=131072", 128, True),
        ("maintenance_work_mem=131072kB", 64, False),
        ("maintenance_work_mem=64MB", None, True),
        ("maintenance_work_mem=65MB", None, False),
        ("--maintenance-work-mem=256MB", 128, False),
        ("work_mem=1GB", 64, True),
    ],
)
def test_shared_memory_must_hold_an_index_build(setting: str, shm: int | None, kept: bool) -> None:
    found = container(command=["postgres", "-c", setting], shmSize=shm)
    assert (violations(found, Allowances()) == []) is kept


def test_resources_of_other_kinds_are_left_alone() -> None:
    other = Declared("docker:index/network:Network", "n", {"name": "n"}, protect=False)
    assert violations(other, Allowances()) == []


def test_every_rule_has_a_name_and_a_reason() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.description.endswith(".") for rule in RULES)


def test_the_rules_need_nothing_that_the_policy_engines_environment_lacks() -> None:
    source = (Path(__file__).parents[2] / "infra/policies/rules.py").read_text(encoding="utf-8")
    imported = [line.split()[1] for line in source.splitlines() if line.startswith(("from", "imp"))]
    assert set(imported) <= {"re", "collections.abc", "dataclasses", "typing"}
