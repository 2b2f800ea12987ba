"""Which databases the phases work on, by what the environment says."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from ops.backend.environment import served_environment
from ops.connection import conninfo, schema_within
from ops.embedded.databases import NAMES, EmbeddedDatabases
from ops.endpoints import resolve_endpoints
from ops.errors import ConfigurationError
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder

HOST = "postgresql://u:p@db.example"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in OperatorSettings.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    shutil.rmtree((tmp_path / "state" / "servers").resolve(), ignore_errors=True)


def settings(**given: str | Path) -> OperatorSettings:
    hosts = ["db.example", "private.internal"]
    return OperatorSettings.model_validate({"HOSTS_WITHOUT_TLS": hosts, **given})


def test_a_pair_of_addresses_is_an_external_target() -> None:
    found = resolve_endpoints(settings(DATABASE_URL=f"{HOST}/core", AI_DATABASE_URL=f"{HOST}/ai"))
    assert (found.core.database, found.ai.database, found.legacy) == ("core", "ai", None)
    assert (found.target, found.shared, found.core_role) == ("external", False, "core")


def test_one_address_is_shared_by_both_halves() -> None:
    found = resolve_endpoints(settings(DATABASE_URL=f"{HOST}/both"))
    assert (found.shared, found.core_role) == (True, "shared")
    assert found.core == found.ai


def test_the_owners_address_is_preferred() -> None:
    found = resolve_endpoints(
        settings(
            DATABASE_URL=f"{HOST}:6543/core",
            DATABASE_ADMIN_URL=f"{HOST}:5432/core",
            AI_DATABASE_URL=f"{HOST}/ai",
            LEGACY_DATABASE_URL="postgresql://private.internal/old",
            LEGACY_DATABASE_ADMIN_URL=f"{HOST}/old",
        )
    )
    assert found.core.port == 5432
    assert found.legacy is not None
    assert found.legacy.host == "db.example"


def test_the_old_databases_schema_goes_with_its_address(tmp_path: Path) -> None:
    given = settings(
        DATABASE_URL=f"{HOST}/core",
        LEGACY_DATABASE_URL=f"{HOST}/old",
        LEGACY_SCHEMA="the old's",
        SIGMASIGHT_HOME=tmp_path,
    )
    found = resolve_endpoints(given)
    assert found.legacy is not None
    assert (schema_within(found.legacy), schema_within(found.core)) == ("the old's", None)
    served = served_environment(given, both=True)["LEGACY_DATABASE_URL"]
    assert conninfo_to_dict(served)["options"] == (
        '-csearch_path="the\\ old\'s","$user",public,extensions'
    )
    assert served == conninfo(found.legacy)


REFUSED = [
    ({"AI_DATABASE_URL": f"{HOST}/ai"}, "AI_DATABASE_URL is set without DATABASE_URL; set both"),
    (
        {"DATABASE_URL": f"{HOST}/core", "LEGACY_DATABASE_URL": f"{HOST}:5432/core"},
        "names the database that is being built",
    ),
    (
        {
            "DATABASE_URL": f"{HOST}/core",
            "AI_DATABASE_URL": f"{HOST}/ai",
            "LEGACY_DATABASE_URL": f"{HOST}/ai",
        },
        "names the database that is being built",
    ),
    ({}, "there are no databases here yet; run `sigmasight up`"),
]


@pytest.mark.parametrize(("given", "complaint"), REFUSED)
def test_refuses_what_cannot_be_a_target(given: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        resolve_endpoints(settings(**given))


def test_without_addresses_the_embedded_servers_are_meant(tmp_path: Path) -> None:
    home = tmp_path / "state"
    StateFolder(home).create()
    StateFolder(home).write("ports", {name: 40_000 + n for n, name in enumerate(NAMES)})
    found = resolve_endpoints(settings(SIGMASIGHT_HOME=home))
    assert (found.core.port, found.target, found.shared) == (40_001, "embedded", False)
    assert found.legacy is not None
    assert found.legacy == EmbeddedDatabases(StateFolder(home)).url("legacy", "owner")


def test_a_real_legacy_replaces_the_demos_one(tmp_path: Path) -> None:
    home = tmp_path / "state"
    StateFolder(home).create()
    StateFolder(home).write("ports", dict.fromkeys(NAMES, 40000))
    found = resolve_endpoints(settings(SIGMASIGHT_HOME=home, LEGACY_DATABASE_URL=f"{HOST}/old"))
    assert found.legacy is not None
    assert found.legacy.host == "db.example"
