"""What the docker target does in a healthy server, against a real one with data in it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import sql

from infra.docker.migration import MigrationProvider
from infra.docker.provisioning import (
    ProvisioningProvider,
    Server,
    admitted_server,
    vector_warning,
)
from ops.connection import connect, conninfo
from ops.embedded.server import LOOPBACK, SUPERUSER, EmbeddedServer
from ops.errors import ConfigurationError, SigmaSightError
from tests.conftest import running_server

Props = dict[str, Any]


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedServer]:
    with running_server() as instance:
        yield instance


@pytest.fixture
def own_server(cluster: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """A server whose superuser's password a test may change; it is as it was made."""
    with connect(cluster.url(), application_name="tests", autocommit=True) as above:
        yield cluster
        above.execute("DROP DATABASE IF EXISTS sigmasight_ai WITH (FORCE)")
        for role in ("owner", "app", "readonly"):
            above.execute(f"DROP ROLE IF EXISTS sigmasight_{role}".encode())
        password = sql.SQL("ALTER ROLE {} PASSWORD {}")
        above.execute(password.format(sql.Identifier(SUPERUSER), sql.Literal(cluster.password)))
        above.execute("ALTER SYSTEM RESET ALL")
        above.execute("SELECT pg_reload_conf()")


@pytest.fixture
def props(own_server: EmbeddedServer) -> Props:
    """What the engine hands to the provider for Core on that server; numbers come as floats."""
    return {
        "instance": "ai",
        "host": LOOPBACK,
        "port": float(own_server.running_port() or 0),
        "database": "sigmasight_ai",
        "marker": "ai",
        "extensions": ["vector"],
        "superuser_password": own_server.password,
        "owner_password": "canary-owner",
        "app_password": "canary-app",
        "readonly_password": "canary-readonly",
        "container": "first",
        "accepted_server": "",
    }


def login(props: Props, role: str, password: str) -> psycopg.Connection:
    url = Server(props["host"], int(props["port"]), password).url(props["database"])
    return connect(url.set(username=f"sigmasight_{role}"), application_name="tests")


def test_a_new_volume_gets_roles_database_extension_and_marker(props: Props) -> None:
    outputs = ProvisioningProvider().create(props).outs
    assert outputs is not None
    assert outputs["vector_version"]
    for role in ("owner", "app", "readonly"):
        with login(props, role, f"canary-{role}") as connection:
            query = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
            assert connection.execute(query).fetchone() == (outputs["vector_version"],)
    with login(props, "owner", "canary-owner") as connection:
        found = connection.execute("SELECT role FROM ops.database_marker").fetchone()
    assert found == ("ai",)


def test_the_owner_may_end_a_session_of_the_backend(props: Props) -> None:
    ProvisioningProvider().create(props)
    with login(props, "owner", "canary-owner") as owner, login(props, "app", "canary-app") as app:
        end = "SELECT pg_terminate_backend(%s)"
        assert owner.execute(end, [app.info.backend_pid]).fetchone() == (True,)
        app.close()


@pytest.mark.soak
def test_a_new_container_on_a_volume_with_data_keeps_the_data(props: Props) -> None:
    provider = ProvisioningProvider()
    provider.create(props)
    with login(props, "owner", "canary-owner") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    provider.create({**props, "container": "second"})
    with login(props, "app", "canary-app") as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)


def test_a_rotated_password_replaces_the_old_one(props: Props) -> None:
    provider = ProvisioningProvider()
    provider.create(props)
    provider.update("id", props, {**props, "app_password": "rotated"})
    with login(props, "app", "rotated"):
        pass
    with pytest.raises(ConfigurationError, match="refuses the password"):
        login(props, "app", "canary-app")


@pytest.mark.soak
def test_a_rotated_superuser_is_let_in_with_the_password_of_before(props: Props) -> None:
    provider = ProvisioningProvider()
    provider.create(props)
    rotated = {**props, "superuser_password": "rotated", "container": "second"}
    provider.update("id", props, rotated)
    provider.update("id", props, rotated)  # as after a kill right behind the first
    with connect(
        Server(props["host"], int(props["port"]), "rotated").url("postgres"),
        application_name="tests",
    ):
        pass


def test_other_data_than_before_are_refused_until_they_are_accepted_by_name(props: Props) -> None:
    """As after a changed data path, image or volume, where an image initialises an empty place."""
    provider = ProvisioningProvider()
    before = {**props, "system_identifier": "7400000000000000001"}
    with pytest.raises(ConfigurationError, match="ai has other data than before") as refusal:
        provider.update("id", before, {**props, "container": "second"})
    superuser = Server(props["host"], int(props["port"]), props["superuser_password"])
    with connect(superuser.url("postgres"), application_name="tests") as connection:
        made = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'sigmasight%'"
        assert connection.execute(made).fetchall() == []

    _, _, found = str(refusal.value).rstrip("`").rpartition("sigmasight:aiAcceptedServer ")
    outputs = provider.update("id", before, {**props, "accepted_server": found}).outs
    assert outputs is not None
    assert outputs["system_identifier"] == found
    assert provider.update("id", outputs, props).outs == {**outputs, "accepted_server": ""}


def test_a_volume_of_another_stack_is_refused_in_one_line(own_server: EmbeddedServer) -> None:
    server = Server(LOOPBACK, own_server.running_port() or 0, "canary-wrong")
    for previous in (None, "canary-wrong"):
        with pytest.raises(ConfigurationError) as refusal:
            admitted_server(server, previous)
        assert "was made with another superuser password" in str(refusal.value)
        assert "canary" not in str(refusal.value)


def test_the_server_is_never_told_a_password(props: Props, own_server: EmbeddedServer) -> None:
    admin = Server(LOOPBACK, int(props["port"]), own_server.password)
    with connect(admin.url("postgres"), application_name="tests", autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        connection.execute("SELECT pg_reload_conf()")
    provider = ProvisioningProvider()
    provider.create(props)
    provider.update("id", props, {**props, "superuser_password": "canary-new"})
    log = own_server.log.read_text()
    assert "SCRAM-SHA-256$" in log  # the statements are there
    assert "canary" not in log


@pytest.mark.parametrize(
    ("change", "changes"),
    [
        ({}, False),
        ({"port": 5441}, False),
        ({"container": "second"}, True),
        ({"app_password": "rotated"}, True),
        ({"__provider": "other"}, False),
        ({"system_identifier": None}, False),
    ],
)
def test_only_what_matters_asks_for_an_update(change: Props, changes: bool) -> None:
    olds = {"port": 5441.0, "container": "first", "app_password": "x", "vector_version": "0.8.6"}
    olds["system_identifier"] = "7412"
    result = ProvisioningProvider().diff("id", olds, {**olds, "vector_version": None, **change})
    assert result.changes is changes
    assert not result.replaces


def test_a_server_that_is_not_known_yet_is_looked_at() -> None:
    assert ProvisioningProvider().diff("id", {"port": 1.0}, {"port": 1}).changes is True


@pytest.mark.parametrize(
    ("version", "warned"),
    [("0.8.1", True), ("0.8.3", True), ("0.8.4", False), ("0.10.0", False), (None, False)],
)
def test_versions_before_the_safe_one_are_warned_of(version: str | None, warned: bool) -> None:
    assert (vector_warning("ai", version) is not None) is warned


def test_a_server_does_not_show_its_password() -> None:
    server = Server(LOOPBACK, 1, "canary")
    assert "canary" not in repr(replace(server, port=2))


# The chains


@pytest.fixture
def migration(props: Props) -> Props:
    """What the engine hands to the migration of a database that is provisioned."""
    ProvisioningProvider().create(props)
    url = Server(props["host"], int(props["port"]), "canary-owner").url(props["database"])
    owner = conninfo(url.set(username="sigmasight_owner"))
    return {"chain": "ai", "owner_url": owner, "heads": ["0001"], "system_identifier": "7412"}


def test_the_backend_finds_the_chains_run_and_its_role_may_use_them(
    props: Props, migration: Props
) -> None:
    for _ in range(2):
        MigrationProvider().create(migration)
    with login(props, "app", "canary-app") as connection:
        assert connection.execute("SELECT count(*) FROM ai_memories").fetchone() == (0,)


def test_a_chain_that_cannot_be_run_is_one_line_without_the_password(migration: Props) -> None:
    with pytest.raises(SigmaSightError) as refusal:
        MigrationProvider().update("ai", migration, {**migration, "chain": "core"})
    assert "canary" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "changes"),
    [
        ({}, False),
        ({"heads": ["0002"]}, True),
        ({"system_identifier": "8000"}, True),
        ({"system_identifier": None}, False),
        ({"__provider": "other"}, False),
    ],
)
def test_new_revisions_and_other_data_are_migrated(change: Props, changes: bool) -> None:
    olds = {"chain": "ai", "owner_url": "x", "heads": ["0001"], "system_identifier": "7412"}
    result = MigrationProvider().diff("ai", olds, {**olds, **change})
    assert result.changes is changes
    assert not result.replaces
