"""The docker target, property by property, in the engine's place."""

import pulumi
import pytest
from sqlalchemy.engine import make_url

from infra.docker.settings import DATABASE_IMAGE
from infra.policies.rules import Allowances, Hidden, violations
from infra.program import declare
from tests.infra.docker_program import (
    BACKEND,
    BUILT_IMAGE,
    CONTAINER,
    INSTANCE,
    NETWORK,
    PREFECT_IMAGE,
    PROVISIONING,
    REMOTE_IMAGE,
    VOLUME,
    docker_program,
)
from tests.infra.mocks import IMAGE_ID, Program, run_program

ON_DOCKER = (CONTAINER, VOLUME, REMOTE_IMAGE, NETWORK, BUILT_IMAGE)
DATABASES = ("legacy", "core", "ai")


@pytest.fixture(scope="module")
def program() -> Program:
    return docker_program()


@pytest.fixture(scope="module")
def with_prefect() -> Program:
    return docker_program(prefect="true", prefectImage=PREFECT_IMAGE)


def labels(inputs: list[dict[str, str]]) -> dict[str, str]:
    return {label["label"]: label["value"] for label in inputs}


# The daemon


@pytest.mark.parametrize(
    ("environment", "config", "told"),
    [
        ({}, {}, {"host": "unix:///var/run/docker.sock"}),
        ({"DOCKER_HOST": "tcp://a:1"}, {}, {"host": "tcp://a:1"}),
        ({"DOCKER_HOST": "tcp://a:1"}, {"docker:host": "tcp://b:1"}, {"host": "tcp://b:1"}),
        (
            {"DOCKER_CONTEXT": "lab"},
            {"docker:certPath": "/certificates", "docker:sshOpts": '["-i","key"]'},
            {"context": "lab", "certPath": "/certificates", "sshOpts": '["-i", "key"]'},
        ),
        ({"DOCKER_CONTEXT": "lab"}, {"docker:context": "other"}, {"context": "other"}),
    ],
)
def test_everything_on_docker_is_at_the_daemon_that_the_stack_or_else_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    config: dict[str, str],
    told: dict[str, str],
) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = docker_program(prefect="true", prefectImage=PREFECT_IMAGE, identity="3f9c", **config)
    inputs = found.one("pulumi:providers:docker", "docker").inputs
    assert {**inputs, **told} == inputs
    used = {key[0]: one.provider for key, one in found.resources.items() if "docker:" in key[0]}
    assert used == dict.fromkeys(ON_DOCKER, "docker")


def test_what_logs_in_to_a_registry_stays_secret() -> None:
    login = '[{"address": "registry.example", "password": "canary"}]'
    found = docker_program(changed={"docker:registryAuth": login})
    inputs = found.one("pulumi:providers:docker", "docker").inputs
    assert inputs["registryAuth"] == Hidden(login)


# Images and network


def test_the_database_image_is_pulled_by_digest_and_kept(program: Program) -> None:
    inputs = program.one(REMOTE_IMAGE, "database-image").inputs
    assert inputs["name"] == DATABASE_IMAGE
    assert inputs["keepLocally"] is True


def test_there_is_one_network_named_after_the_stack(program: Program) -> None:
    (network,) = program.of_type(NETWORK)
    assert (network.inputs["name"], network.inputs["driver"]) == ("sigmasight-docker", "bridge")


def test_a_local_tag_is_used_where_it_is_allowed() -> None:
    found = docker_program(databaseImage="local/pg:17", allowLocalImage="true")
    assert found.one(REMOTE_IMAGE, "database-image").inputs["name"] == "local/pg:17"


def test_a_private_registry_is_used_by_digest() -> None:
    image = "registry.example:5000/team/pg@sha256:" + "b" * 64
    found = docker_program(databaseImage=image)
    assert found.one(REMOTE_IMAGE, "database-image").inputs["name"] == image


# Volumes


@pytest.mark.parametrize("name", DATABASES)
def test_a_volume_is_named_protected_and_retained(program: Program, name: str) -> None:
    volume = program.one(VOLUME, f"{name}-data")
    assert volume.inputs["name"] == f"sigmasight-docker-{name}-data"
    assert volume.protect is True
    assert volume.retain_on_delete is True
    assert volume.parent == name


def test_lifting_the_protection_still_retains_the_volumes() -> None:
    volumes = docker_program(protect="false").of_type(VOLUME)
    assert [volume.protect for volume in volumes] == [False, False, False]
    assert all(volume.retain_on_delete for volume in volumes)


def test_the_guard_would_be_the_first_to_go_and_is_protected() -> None:
    declared = docker_program(prefect="true", prefectImage=PREFECT_IMAGE)
    guard = declared.one("sigmasight:infra:DeletionGuard", "deletion-guard")
    made = {name for type_, name in declared.resources if not type_.startswith("sigmasight:")}
    assert (guard.protect, guard.dependencies, guard.parent) == (True, made, "backend")


# Database containers


@pytest.mark.parametrize("name", DATABASES)
def test_a_container_runs_the_image_by_its_id(program: Program, name: str) -> None:
    assert program.one(CONTAINER, name).inputs["image"] == IMAGE_ID


@pytest.mark.parametrize("name", DATABASES)
def test_a_container_mounts_its_volume_by_name(program: Program, name: str) -> None:
    inputs = program.one(CONTAINER, name).inputs
    assert inputs["volumes"] == [
        {
            "volumeName": f"sigmasight-docker-{name}-data",
            "containerPath": "/var/lib/postgresql/data",
        }
    ]
    assert inputs["removeVolumes"] is False


@pytest.mark.parametrize("name", DATABASES)
def test_the_password_comes_by_file_and_is_secret(program: Program, name: str) -> None:
    inputs = program.one(CONTAINER, name).inputs
    assert inputs["envs"] == ["POSTGRES_PASSWORD_FILE=/run/secrets/superuser_password"]
    assert inputs["uploads"] == Hidden(
        [
            {
                "file": "/run/secrets/superuser_password",
                "content": f"canary-{name}SuperuserPassword@:/%",
                "permissions": "0400",
            }
        ]
    )


def test_the_health_check_asks_over_tcp_and_without_a_password(program: Program) -> None:
    """Which a server on a volume with data may not know yet."""
    check = program.one(CONTAINER, "core").inputs["healthcheck"]
    assert check["tests"] == [
        "CMD-SHELL",
        "pg_isready -q -h 127.0.0.1 -p 5432 -U postgres -d postgres",
    ]
    assert check["interval"] == "3s"
    assert check["timeout"] == "5s"
    assert check["startPeriod"] == "1m0s"
    assert check["retries"] == 10


@pytest.mark.parametrize("name", DATABASES)
def test_the_engine_waits_until_a_database_is_healthy(program: Program, name: str) -> None:
    inputs = program.one(CONTAINER, name).inputs
    assert (inputs["wait"], inputs["waitTimeout"]) == (True, 180)


@pytest.mark.parametrize("name", DATABASES)
def test_a_container_comes_back_and_stops_in_peace(program: Program, name: str) -> None:
    inputs = program.one(CONTAINER, name).inputs
    assert inputs["restart"] == "unless-stopped"
    assert inputs["stopSignal"] == "SIGINT"
    assert inputs["destroyGraceSeconds"] == 60


@pytest.mark.parametrize(("name", "port"), [("legacy", 5440), ("core", 5441), ("ai", 5442)])
def test_a_database_is_published_on_loopback_only(program: Program, name: str, port: int) -> None:
    ports = program.one(CONTAINER, name).inputs["ports"]
    assert ports == [{"internal": 5432, "external": port, "ip": "127.0.0.1"}]


def test_address_and_ports_are_configuration() -> None:
    found = docker_program(bindAddress="10.1.2.3", corePort="6001")
    (port,) = found.one(CONTAINER, "core").inputs["ports"]
    assert (port["ip"], port["external"]) == ("10.1.2.3", 6001)
    url = make_url(found.outputs["core_url"].value)
    assert (url.host, url.port) == ("10.1.2.3", 6001)


def test_the_phases_reach_a_remote_host_at_its_own_address() -> None:
    found = docker_program(reachAddress="docker.example")
    assert make_url(found.outputs["ai_url"].value).host == "docker.example"
    assert found.one(PROVISIONING, "ai-provisioning").inputs["host"] == "docker.example"


@pytest.mark.parametrize("name", DATABASES)
def test_labels_say_what_a_container_is(program: Program, name: str) -> None:
    assert labels(program.one(CONTAINER, name).inputs["labels"]) == {
        "sigmasight.role": "database",
        "sigmasight.stack": "docker",
        "sigmasight.database": name,
    }


@pytest.mark.parametrize("name", DATABASES)
def test_the_old_container_goes_before_the_new_one(program: Program, name: str) -> None:
    assert program.one(CONTAINER, name).delete_before_replace is True


def test_another_health_check_is_a_new_container(with_prefect: Program) -> None:
    """Which Docker cannot change, whatever the provider says."""
    assert {found.replace_on_changes for found in with_prefect.of_type(CONTAINER)} == {
        ("healthcheck",)
    }


@pytest.mark.parametrize(("first", "second"), [("legacy", "core"), ("core", "ai")])
def test_a_database_is_touched_only_when_the_one_before_serves(
    program: Program, first: str, second: str
) -> None:
    assert f"{first}-provisioning" in program.one(CONTAINER, second).dependencies


@pytest.mark.parametrize("name", DATABASES)
def test_a_container_is_part_of_its_instance_and_joins_the_network(
    program: Program, name: str
) -> None:
    container = program.one(CONTAINER, name)
    assert container.parent == name
    assert program.one(INSTANCE, name).parent is None
    assert container.inputs["networksAdvanced"] == [{"name": "sigmasight-docker"}]


# Settings of the servers


@pytest.mark.parametrize(
    ("key", "value", "argument"),
    [
        ("sharedBuffersMb", "1024", "shared_buffers=1024MB"),
        ("maintenanceWorkMemMb", "192", "maintenance_work_mem=192MB"),
        ("maxWalSizeMb", "8192", "max_wal_size=8192MB"),
        ("minWalSizeMb", "1024", "min_wal_size=1024MB"),
        ("maxConnections", "40", "max_connections=40"),
    ],
)
def test_a_setting_reaches_the_server(key: str, value: str, argument: str) -> None:
    command = docker_program(**{key: value}).one(CONTAINER, "ai").inputs["command"]
    assert command[0] == "postgres"
    assert command[command.index(argument) - 1] == "-c"


def test_shared_memory_is_set_in_megabytes(program: Program) -> None:
    assert program.one(CONTAINER, "ai").inputs["shmSize"] == 256
    assert docker_program(shmSizeMb="512").one(CONTAINER, "ai").inputs["shmSize"] == 512


# Roles


@pytest.mark.parametrize(
    ("name", "database", "marker", "extensions"),
    [
        ("legacy", "sigmasight", "", ["vector"]),
        ("core", "sigmasight_core", "core", []),
        ("ai", "sigmasight_ai", "ai", ["vector"]),
    ],
)
def test_a_healthy_server_is_provisioned(
    program: Program, name: str, database: str, marker: str, extensions: list[str]
) -> None:
    provisioning = program.one(PROVISIONING, f"{name}-provisioning")
    assert provisioning.inputs["database"] == database
    assert provisioning.inputs["marker"] == marker
    assert provisioning.inputs["extensions"] == extensions
    assert provisioning.inputs["container"] == f"{name}-id"
    assert name in provisioning.dependencies
    assert provisioning.parent == name


@pytest.mark.parametrize("role", ["superuser", "owner", "app", "readonly"])
def test_passwords_stay_secret_on_their_way_to_the_server(program: Program, role: str) -> None:
    inputs = program.one(PROVISIONING, "core-provisioning").inputs
    assert inputs[f"{role}_password"] == Hidden(f"canary-core{role.title()}Password@:/%")


def test_an_old_vector_extension_is_warned_of_by_name() -> None:
    warnings = docker_program(vector_version="0.8.0").warnings
    assert len(warnings) == 2  # AI and the old database have it
    assert all("CVE-2026-3172" in line for line in warnings)


def test_a_safe_vector_extension_is_no_reason_to_warn(program: Program) -> None:
    assert program.warnings == []


# Topology and outputs


def test_without_legacy_nothing_of_it_is_declared() -> None:
    names = {name for _, name in docker_program(legacy="absent").resources}
    assert not [name for name in names if "legacy" in name]
    assert {"core", "ai", "core-data", "ai-data"} <= names


def test_the_outputs_that_hold_addresses_are_secret(program: Program) -> None:
    for key in ("core_url", "ai_url", "legacy_url", "backend_environment"):
        assert isinstance(program.outputs[key], Hidden), key


def test_the_phases_get_the_owners_published_address(program: Program) -> None:
    url = make_url(program.outputs["core_url"].value)
    assert (url.username, url.host, url.port) == ("sigmasight_owner", "127.0.0.1", 5441)
    assert url.password == "canary-coreOwnerPassword@:/%"


def test_another_stack_can_refer_to_where_a_database_answers(program: Program) -> None:
    assert program.outputs["databases"]["ai"] == {
        "host": "127.0.0.1",
        "port": 5442,
        "database": "sigmasight_ai",
        "volume": "sigmasight-docker-ai-data",
        "container": "sigmasight-docker-ai",
    }


def test_the_instances_register_their_outputs(program: Program) -> None:
    outputs = program.component_outputs["core"]
    assert outputs["host"] == "127.0.0.1"
    assert outputs["port"] == 5441
    assert isinstance(outputs["owner_url"], Hidden)
    assert isinstance(outputs["app_url"], Hidden)
    assert isinstance(program.component_outputs["backend"]["environment"], Hidden)
    assert program.one(BACKEND, "backend").parent is None


def test_no_secret_is_sent_in_the_open(with_prefect: Program) -> None:
    def visible(value: object) -> str:
        if isinstance(value, Hidden):
            return ""
        if isinstance(value, dict):
            return " ".join(visible(part) for part in value.values())
        if isinstance(value, list):
            return " ".join(visible(part) for part in value)
        return str(value)

    seen = [visible(dict(found.inputs)) for found in with_prefect.resources.values()]
    seen += [visible(with_prefect.outputs), visible(with_prefect.component_outputs)]
    assert "sigmasight-docker-core" in " ".join(seen)  # the search reads what it should
    assert "canary" not in " ".join(seen)


# Rules and refusals


def test_the_whole_program_keeps_every_rule(with_prefect: Program) -> None:
    broken = [
        line
        for found in with_prefect.resources.values()
        for line in violations(found.declared(), Allowances())
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"databaseImage": "pgvector/pgvector:pg17"}, "databaseImage 'pgvector/pgvector:pg17' has"),
        ({"baseImage": "python:3.11"}, "baseImage 'python:3.11' has no digest"),
        ({"backendImage": "backend:latest"}, "backendImage 'backend:latest' has no digest"),
        ({"bindAddress": "0.0.0.0"}, "bindAddress 0.0.0.0 opens the databases to everyone"),
        ({"corePort": "5442"}, "corePort and aiPort are the same, 5442; set another"),
        ({"backendPort": "5441"}, "corePort and backendPort are the same, 5441"),
        (
            {"prefect": "true", "prefectImage": PREFECT_IMAGE, "prefectPort": "8000"},
            "backendPort and prefectPort are the same, 8000",
        ),
        ({"bindAddress": "localhost"}, "bindAddress 'localhost' is no address"),
        ({"bindAddress": "10.1.2.300"}, "bindAddress '10.1.2.300' is no address"),
        ({"bindAddress": "::0"}, "bindAddress ::0 opens the databases to everyone"),
        ({"reachAddress": "10.1.2.300"}, "reachAddress '10.1.2.300' is no host"),
        ({"reachAddress": "docker.example:5432"}, "reachAddress 'docker.example:5432' is no host"),
        ({"reachAddress": "http://docker.example"}, "use a name or an IP address, without a port"),
        ({"sharedBuffersMb": "9000000"}, "need 27000128 MB; this machine has "),
        (
            {"maintenanceWorkMemMb": "9000000", "shmSizeMb": "9000000"},
            "maintenanceWorkMemMb (9000000) need 9000768 MB",
        ),
        ({"identity": "a_b"}, "identity 'a_b' cannot be part of names"),
        ({"corePort": "none"}, "corePort is 'none'; use a whole number"),
        ({"aiPort": "65536"}, "aiPort is 65536; use at most 65535"),
        ({"backendPort": "70000"}, "backendPort is 70000; use at most 65535"),
        ({"databaseDataPath": "data"}, "databaseDataPath 'data' is no folder of a container"),
        ({"databaseDataPath": "/"}, "databaseDataPath '/' is no folder of a container"),
        ({"shmSizeMb": "64"}, "shmSizeMb is 64, less than maintenanceWorkMemMb (128)"),
        ({"backendReplicas": "0"}, "backendReplicas is 0; use at least 1"),
        ({"backendEnvironment": "7"}, "backendEnvironment is no object of texts; set each by `pul"),
        (
            {"backendEnvironment": '{"SECRET_KEY": "x"}'},
            "the stack itself sets SECRET_KEY; remove yours by `pulumi config rm --path",
        ),
        ({"minWalSizeMb": "9999"}, "maxWalSizeMb is 4096, less than minWalSizeMb (9999)"),
        ({"prefect": "true"}, "prefectImage is missing"),
        ({"allowLocalImage": "maybe"}, "allowLocalImage is 'maybe'; use true or false"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(config: dict[str, str], message: str) -> None:
    with pytest.raises(pulumi.RunError) as refusal:
        docker_program(**config)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_memory_of_another_docker_host_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    assert docker_program(sharedBuffersMb="9000000").warnings == []


def test_ports_of_what_is_not_declared_are_free() -> None:
    found = docker_program(backendContainer="false", corePort="8000", aiPort="4200")
    assert found.one(CONTAINER, "core").inputs["ports"][0]["external"] == 8000


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("sharedBufferMb", "; did you mean sharedBuffersMb?"),
        ("coreOwnerpassword", "; did you mean coreOwnerPassword?"),
        ("moon", ""),
    ],
)
def test_a_key_that_nothing_reads_is_warned_of(key: str, said: str) -> None:
    warnings = docker_program(**{key: "1"}).warnings
    assert warnings == [f"the stack's {key} is no setting and does nothing{said}"]


def test_an_installation_of_its_own_shares_no_name_with_another() -> None:
    first, second = docker_program(identity="3f9c"), docker_program(identity="77aa")
    names = [
        {
            found.inputs["name"]
            for type_ in (CONTAINER, VOLUME, NETWORK)
            for found in p.of_type(type_)
        }
        for p in (first, second)
    ]
    assert "sigmasight-docker-3f9c-core-data" in names[0]
    assert names[0] & names[1] == set()
    assert (
        labels(first.one(CONTAINER, "core").inputs["labels"])["sigmasight.stack"] == "docker-3f9c"
    )


def test_an_address_of_version_six_is_reached_in_brackets() -> None:
    outputs = docker_program(bindAddress="fd00::1").outputs
    assert outputs["backend_url"] == "http://[fd00::1]:8000"
    assert make_url(outputs["core_url"].value).host == "fd00::1"


def test_missing_secrets_are_named_all_at_once() -> None:
    given = {"target": "docker", "legacy": "absent", "active": "new"}
    with pytest.raises(pulumi.RunError) as refusal:
        run_program(given, {"coreOwnerPassword": "x"}, declare)
    assert "coreSuperuserPassword, coreAppPassword" in str(refusal.value)
    assert "aiReadonlyPassword, secretKey are missing" in str(refusal.value)
    assert "coreOwnerPassword" not in str(refusal.value)


def test_a_short_signing_key_is_refused_before_a_backend_gets_it() -> None:
    with pytest.raises(pulumi.RunError, match="secretKey is too short; use 32 or more") as refusal:
        docker_program(changed={"secretKey": "canary"})
    assert "canary" not in str(refusal.value)


def test_public_ports_can_be_allowed() -> None:
    found = docker_program(bindAddress="0.0.0.0", allowPublicPorts="true")
    assert found.one(CONTAINER, "core").inputs["ports"][0]["ip"] == "0.0.0.0"
    assert make_url(found.outputs["core_url"].value).host == "127.0.0.1"
