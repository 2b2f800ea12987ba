"""The railway target's program: what it declares, and what it refuses before anything is made."""

import tomllib

import pulumi
import pytest
from sqlalchemy.engine import make_url

from app.chain_folders import PROJECT_ROOT
from infra.policies.rules import Hidden
from infra.program import declare
from infra.railway import BACKEND_SETTINGS
from infra.stack_secrets import secrets_to_set
from infra.topology import Topology
from tests.infra.mocks import Program, Recorded, run_program

LEGACY = "postgresql://old:canary-old@old.example:5432/everything?sslmode=require"
CONFIG = {"target": "railway", "identity": "ab12", "active": "new"}
CONFIG |= {"railwayProject": "project-1", "railwayEnvironment": "environment-1"}
CONFIG |= {"backendImage": "registry.example/backend:1"}
GIVEN = {"legacyDatabaseUrl": LEGACY}
SECRETS = {
    key: f"canary-{value}"
    for key, value in secrets_to_set(Topology("railway", "present", "old"), {}, GIVEN).items()
} | GIVEN


def program(**config: str | None) -> Program:
    """What the program declares with these values; None leaves one out."""
    plain = {key: value for key, value in {**CONFIG, **config}.items() if value is not None}
    return run_program(plain, SECRETS, declare, stack="railway")


def service(found: Program, name: str) -> Recorded:
    return found.one("pulumi-python:dynamic/infra:RailwayService", name)


def test_the_old_databases_passwords_are_not_made_up() -> None:
    assert {key for key in SECRETS if key.startswith("legacy")} == {"legacyDatabaseUrl"}
    assert {"coreSuperuserPassword", "aiAppPassword", "secretKey"} <= SECRETS.keys()


def test_both_databases_have_volumes_and_are_protected() -> None:
    found = program()
    for name in ("core", "ai"):
        declared = service(found, name)
        assert declared.protect
        assert declared.inputs["service"] == f"railway-ab12-{name}"
        assert (declared.inputs["mount_path"], declared.inputs["port"]) == (
            "/var/lib/postgresql/data",
            5432,
        )
        assert declared.inputs["remove_data"] is False
    guard = found.one("sigmasight:infra:DeletionGuard", "deletion-guard")
    assert guard.protect
    assert {"core", "ai", "backend", "core-provisioning"} <= guard.dependencies


def test_the_backend_is_told_private_addresses_and_waits_for_the_roles() -> None:
    found = program()
    declared = service(found, "backend")
    assert isinstance(declared.inputs["variables"], Hidden)
    told = declared.inputs["variables"].value
    url = make_url(told["DATABASE_URL"])
    assert (url.username, url.host, url.port) == (
        "sigmasight_app",
        "railway-ab12-core.railway.internal",
        5432,
    )
    assert url.query["sslmode"] == "require"
    assert (told["ACTIVE_PAIR"], told["LEGACY_DATABASE_URL"]) == ("gate", LEGACY)
    assert make_url(told["AI_DATABASE_ADMIN_URL"]).username == "sigmasight_owner"
    assert {"core-provisioning", "ai-provisioning"} <= declared.dependencies
    assert declared.inputs["settings"]["healthcheckPath"] == "/ready"
    assert not declared.protect


def test_railways_file_and_the_target_say_the_same() -> None:
    """The seconds are a number: the platform's parser refuses the text that its page shows."""
    deploy = tomllib.loads((PROJECT_ROOT / "railway.toml").read_text())["deploy"]
    assert dict(BACKEND_SETTINGS) == deploy
    assert (deploy["healthcheckPath"], deploy["drainingSeconds"]) == ("/ready", 30)


def test_the_phases_get_the_owners_addresses_by_the_proxy() -> None:
    url = make_url(program().outputs["core_url"].value)
    assert (url.username, url.host, url.port) == ("sigmasight_owner", "a.proxy.rlwy.net", 15140)
    assert url.query["sslmode"] == "require"


def test_a_host_without_tls_is_accepted_by_name_alone() -> None:
    found = program(hostsWithoutTls="a.proxy.rlwy.net")
    assert make_url(found.outputs["core_url"].value).query["sslmode"] == "prefer"
    told = service(found, "backend").inputs["variables"].value
    assert make_url(told["DATABASE_URL"]).query["sslmode"] == "require"
    assert told["HOSTS_WITHOUT_TLS"] == "a.proxy.rlwy.net"


def test_a_service_that_is_there_can_become_the_backend() -> None:
    found = program(railwayBackendService="api", backendImage=None, removeData="true")
    told, core = service(found, "backend").inputs, service(found, "core").inputs
    assert (told["service"], told["image"]) == ("api", ""), "which keeps its source"
    assert (told["remove_data"], core["remove_data"]) == (False, True)


def test_without_legacy_the_backend_serves_the_new_pair_alone() -> None:
    found = program(legacy="absent")
    told = service(found, "backend").inputs["variables"].value
    assert told["ACTIVE_PAIR"] == "new"
    assert "LEGACY_DATABASE_URL" not in told


def test_no_secret_leaves_in_the_open() -> None:
    found = program()
    inputs = [each.inputs for each in found.resources.values()]
    for outputs in (found.outputs, *found.component_outputs.values(), *inputs):
        shown = {key: value for key, value in outputs.items() if not isinstance(value, Hidden)}
        assert "canary" not in str(shown)
    assert found.warnings == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"railwayProject": None}, "the stack's railwayProject is missing"),
        ({"railwayEnvironment": None}, "the stack's railwayEnvironment is missing"),
        ({"backendImage": None}, "the stack's backendImage is missing"),
        ({"shmSizeMb": "20"}, "the stack's shmSizeMb is 20, less than maintenanceWorkMemMb"),
        ({"removeData": "perhaps"}, "the stack's removeData is 'perhaps'"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(config: dict[str, str | None], said: str) -> None:
    with pytest.raises(pulumi.RunError) as refusal:
        program(**config)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
