"""The external target: given addresses, checked before anything changes."""

from typing import cast

import pulumi
import pytest
from sqlalchemy.engine import make_url

from infra.policies.rules import Hidden
from infra.program import declare
from infra.stack_secrets import given_addresses, secrets_to_set
from infra.topology import Presence, Topology
from ops.settings import OperatorSettings
from tests.infra.mocks import Program, run_program

SECRETS = {
    "databaseUrl": "postgresql://app:canary-core@core.internal:5432/core?sslmode=require",
    "databaseAdminUrl": "postgresql://owner:canary-owner@core.example:6000/core?sslmode=require",
    "aiDatabaseUrl": "postgresql+asyncpg://app:canary-ai@ai.internal/ai?sslmode=require",
    "legacyDatabaseUrl": "postgres://old:canary-old@old.example:5432/everything?sslmode=require",
    "secretKey": "canary-" + "k" * 32,
}


def external_program(
    *, active: str = "new", legacy: str = "present", **secrets: str | None
) -> Program:
    """What the program declares with these addresses; None leaves one out."""
    given = {key: value for key, value in {**SECRETS, **secrets}.items() if value is not None}
    return run_program({"target": "external", "active": active, "legacy": legacy}, given, declare)


def test_only_components_are_declared() -> None:
    assert {(type_, name) for type_, name in external_program().resources} == {
        ("sigmasight:infra:PostgresInstance", "legacy"),
        ("sigmasight:infra:PostgresInstance", "core"),
        ("sigmasight:infra:PostgresInstance", "ai"),
        ("sigmasight:infra:Backend", "backend"),
    }


def test_where_a_given_database_answers_stays_secret() -> None:
    found = external_program().outputs["databases"]
    assert isinstance(found, Hidden)
    assert found.value["core"] == {"host": "core.internal", "port": 5432, "database": "core"}


def test_no_key_of_a_usual_stack_is_warned_of() -> None:
    assert external_program(legacySchema="old").warnings == []


def test_the_phases_get_the_admin_address_where_there_is_one() -> None:
    outputs = external_program().outputs
    assert outputs["core_url"] == Hidden(SECRETS["databaseAdminUrl"])
    assert outputs["ai_url"] == Hidden(SECRETS["aiDatabaseUrl"])
    assert outputs["legacy_url"] == Hidden(SECRETS["legacyDatabaseUrl"])


BOTH_PAIRS = {
    "ACTIVE_PAIR": "gate",
    "DATABASE_URL": SECRETS["databaseUrl"],
    "DATABASE_ADMIN_URL": SECRETS["databaseAdminUrl"],
    "AI_DATABASE_URL": SECRETS["aiDatabaseUrl"],
    "LEGACY_DATABASE_URL": SECRETS["legacyDatabaseUrl"],
    "ENVIRONMENT": "production",
    "BACKEND_REPLICAS": "2",
    "SECRET_KEY": SECRETS["secretKey"],
}


@pytest.mark.parametrize("active", ["old", "new"])
def test_the_backend_gets_both_pairs_and_the_admin_address_for_migrations(active: str) -> None:
    assert external_program(active=active).outputs["backend_environment"] == Hidden(BOTH_PAIRS)


def test_the_backend_finds_the_old_tables_in_the_schema_that_was_said() -> None:
    found = external_program(legacySchema="app one").outputs["backend_environment"].value
    old = make_url(found.pop("LEGACY_DATABASE_URL"))
    assert (old.host, old.query["options"].split(",")[0]) == (
        "old.example",
        '-csearch_path="app\\ one"',
    )
    assert found.items() <= BOTH_PAIRS.items()


def test_hosts_of_a_private_network_are_accepted_by_name() -> None:
    hosts = ["ai.internal", "db.internal"]
    given = given_addresses(OperatorSettings.model_validate({"HOSTS_WITHOUT_TLS": hosts}))
    ai = "postgres://ai.internal/ai"
    found = external_program(aiDatabaseUrl=ai, **given).outputs["backend_environment"].value
    assert found["HOSTS_WITHOUT_TLS"] == "ai.internal,db.internal"


def test_that_schema_is_handed_on_while_there_is_an_old_database() -> None:
    given = given_addresses(OperatorSettings.model_validate({"LEGACY_SCHEMA": "app"}))
    for legacy, schema in (("present", "app"), ("absent", None)):
        topology = Topology("external", cast(Presence, legacy), "new")
        assert secrets_to_set(topology, {}, given).get("legacySchema") == schema


def test_without_legacy_its_address_is_not_asked_for() -> None:
    outputs = external_program(legacy="absent", legacyDatabaseUrl=None).outputs
    assert outputs.get("legacy_url") is None
    assert outputs["legacy"] == "absent"
    told = {**BOTH_PAIRS, "ACTIVE_PAIR": "new"}
    del told["LEGACY_DATABASE_URL"]
    assert outputs["backend_environment"] == Hidden(told)


def test_no_secret_leaves_in_the_open() -> None:
    program = external_program()
    for outputs in (program.outputs, *program.component_outputs.values()):
        shown = {key: value for key, value in outputs.items() if not isinstance(value, Hidden)}
        assert "canary" not in str(shown)
        assert "core.internal" not in str(shown)
    assert "canary" not in str([found.inputs for found in program.resources.values()])


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({"databaseUrl": None}, "secret databaseUrl is missing"),
        ({"aiDatabaseUrl": None}, "secret aiDatabaseUrl is missing"),
        ({"legacyDatabaseUrl": None}, "secret legacyDatabaseUrl is missing"),
        ({"secretKey": "canary"}, "secret secretKey is too short"),
        ({"databaseUrl": "canary"}, "secret databaseUrl is not a URL"),
        ({"databaseUrl": "mysql://a:canary@h/d"}, "secret databaseUrl has the scheme 'mysql'"),
        ({"aiDatabaseUrl": "postgresql://a:canary@h"}, "secret aiDatabaseUrl names no database"),
        ({"legacyDatabaseAdminUrl": "canary"}, "secret legacyDatabaseAdminUrl is not a URL"),
        ({"aiDatabaseUrl": "postgresql://a:canary@h/d"}, "aiDatabaseUrl leaves this machine with"),
        (
            {"aiDatabaseUrl": "postgresql://other:canary@CORE.internal/core?sslmode=require"},
            "Core and AI are the same database",
        ),
        (
            {"legacyDatabaseUrl": "postgresql://old:canary@core.internal/core?sslmode=require"},
            "the old database and Core are the same database",
        ),
        (
            {"aiDatabaseAdminUrl": SECRETS["databaseAdminUrl"]},
            "Core and AI are the same database",
        ),
    ],
)
def test_a_wrong_address_is_refused_in_one_line_without_it(
    secrets: dict[str, str | None], message: str
) -> None:
    with pytest.raises(pulumi.RunError) as refusal:
        external_program(**secrets)
    assert message in str(refusal.value)
    assert "canary" not in str(refusal.value)
    assert "\n" not in str(refusal.value)
