"""What the engine says when it fails becomes one line that its user can act on."""

import logging
import os
import runpy
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from pulumi.automation import CommandError, CommandResult
from pulumi.automation.events import EngineEvent

from infra import provider_host
from infra.engine_events import EventRecord
from infra.engine_failures import explained, failure
from infra.pulumi_cli import engine_environment, find_cli, login_elsewhere, own_backend
from ops.errors import (
    BusyError,
    ConfigurationError,
    DatabaseUnavailableError,
    SigmaSightError,
)
from ops.state_folder import StateFolder

SAID: list[tuple[str, type[SigmaSightError], str]] = [
    (
        "the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end",
        BusyError,
        "free it by `sigmasight pulumi cancel --yes`",
    ),
    ("incorrect passphrase", ConfigurationError, "set PULUMI_CONFIG_PASSPHRASE to the one"),
    (
        "no resource plugin 'pulumi-resource-docker' found in the workspace at version v5.2.0 or "
        "on your $PATH, install the plugin using `pulumi plugin install resource docker v5.2.0`",
        ConfigurationError,
        "the Pulumi plugin docker is missing and could not be fetched; install it with "
        "`pulumi plugin install resource docker",
    ),
    (
        "failed to download plugin: docker-5.2.0: dial tcp: lookup somewhere: no such host",
        ConfigurationError,
        "install it with `pulumi plugin install resource docker 5.2.0`",
    ),
    (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon "
        "running?",
        ConfigurationError,
        "no Docker daemon answers; start Docker, or set DOCKER_HOST",
    ),
    (
        "sdk-v2/provider2.go:571: sdk.helper_schema: Unable to read Docker image into resource: "
        "unable to pull image local/pgvector:18: no such host",
        ConfigurationError,
        "cannot be pulled (unable to pull image local/pgvector:18: no such host); see that",
    ),
    (
        "unable to start container: driver failed programming external connectivity on endpoint "
        "core: Bind for 127.0.0.1:5441 failed: port is already allocated",
        ConfigurationError,
        "a port of the stack is in use already (5441); free it, or configure another",
    ),
    (
        "failed to set up container networking: listen tcp4 127.0.0.1:8000: bind: address already "
        "in use",
        ConfigurationError,
        "in use already (8000)",
    ),
    (
        "sdk-v2/provider2.go:571: Error starting container: driver failed: Bind for 0.0.0.0:5442 "
        "failed: port is already allocated",
        ConfigurationError,
        "in use already (5442)",
    ),
    (
        'Unable to create container: Conflict. The container name "/core-1f2" is already in use',
        ConfigurationError,
        "remove it by `docker rm -f core-1f2`",
    ),
    (
        "container failed to be in healthy state in 60 seconds",
        ConfigurationError,
        "`docker logs NAME` says why",
    ),
    (
        'resource "urn:pulumi:docker::sigmasight::docker:index/volume:Volume::core-data" cannot '
        "be deleted because it is protected",
        ConfigurationError,
        "core-data is protected and was not removed",
    ),
    (
        "Exception calling application: the embedded server in /x/core does not start; read "
        "/x/core/server.log",
        DatabaseUnavailableError,
        "the embedded server in /x/core does not start; read /x/core/server.log",
    ),
    (
        "the stack's target is 'moon'; use embedded: `pulumi config set sigmasight:target VALUE`",
        ConfigurationError,
        "'moon'; use embedded: `sigmasight pulumi config set sigmasight:target VALUE`",
    ),
]


@pytest.mark.parametrize(("said", "kind", "line"), SAID, ids=[said[:32] for said, *_ in SAID])
def test_one_line_that_says_what_to_do(said: str, kind: type[SigmaSightError], line: str) -> None:
    error = failure([said])
    assert type(error) is kind
    assert line in str(error)
    assert "\n" not in str(error)


def test_a_wrong_type_is_told_in_the_engines_own_sentence() -> None:
    """The engine refuses it before it runs the program, and so tells nothing but its end."""
    said = "Stack 'docker' with configuration key 'corePort' must be of type 'integer'"
    ended = CommandResult("", f"error: validating stack config: {said}\n", 1)
    with (
        pytest.raises(ConfigurationError, match=f"^validating stack config: {said}$"),
        explained(EventRecord(print)),
    ):
        raise CommandError(ended)


def test_warnings_of_the_program_reach_whoever_waits() -> None:
    lines: list[str] = []
    record = EventRecord(lines.append)
    for severity, message in [("warning", "warning: core is old"), ("info", "x"), ("error", "e")]:
        told = {"severity": severity, "message": message, "color": "never"}
        record.take(EngineEvent.from_json({"diagnosticEvent": told, "sequence": 1, "timestamp": 1}))
    assert (lines, record.errors) == (["warning: core is old"], ["e"])


def test_a_provider_that_fails_prints_no_traceback_of_grpc(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The engine shows what was raised, in its one line."""
    server = logging.getLogger("grpc._server")
    monkeypatch.setattr(logging.getLogger("grpc"), "level", logging.NOTSET)
    monkeypatch.setattr(provider_host, "_leave_with", lambda _engine: None)
    monkeypatch.setattr(runpy, "run_module", lambda *_, **__: server.error("Exception calling"))
    provider_host.main()
    assert caplog.records == []


def test_a_refusal_of_a_provider_reaches_the_engine_as_its_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pulumi's own wrapper tells the trace, paths and all."""
    told: list[str] = []

    def serve(*_: object, **__: object) -> None:
        for error in (ConfigurationError("core has other data"), KeyError("host")):
            try:
                raise error
            except Exception:
                told.append(traceback.format_exc())

    monkeypatch.setattr(traceback, "format_exc", traceback.format_exc)
    monkeypatch.setattr(provider_host, "_leave_with", lambda _engine: None)
    monkeypatch.setattr(runpy, "run_module", serve)
    provider_host.main()
    refused, broken = told
    assert refused == "core has other data"
    assert broken.startswith("Traceback"), "what is no refusal is a fault, and shows where"


def test_silence_is_said_to_be_silence() -> None:
    assert "no reason" in str(failure([]))


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a `pulumi` that does this the only one on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def make(script: str) -> None:
        (tmp_path / "pulumi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "pulumi").chmod(0o755)

    return make


@pytest.mark.parametrize("version", ["v3.100.0", "v2.25.0", "v4.0.0", "nonsense"])
def test_another_command_line_is_refused(on_path: Callable[[str], None], version: str) -> None:
    on_path(f"echo {version}")
    with pytest.raises(ConfigurationError, match=r"install 3\.181\.0 or newer of version 3"):
        find_cli()


def test_a_command_line_that_does_not_run_is_refused(on_path: Callable[[str], None]) -> None:
    on_path("exit 3")
    with pytest.raises(ConfigurationError, match="does not run; install it again"):
        find_cli()


@pytest.mark.usefixtures("on_path")
def test_without_a_command_line_there_is_another_way() -> None:
    with pytest.raises(ConfigurationError, match="or leave --target out"):
        find_cli()


def test_the_newest_build_of_ours_is_found(on_path: Callable[[str], None], tmp_path: Path) -> None:
    for version in ("3.99.0", "3.250.0"):
        folder = tmp_path / "cache" / "sigmasight" / f"pulumi-v{version}" / "bin"
        folder.mkdir(parents=True)
        (folder / "pulumi").write_text(f"#!/bin/sh\necho v{version}\n")
        (folder / "pulumi").chmod(0o755)
    assert find_cli().command == str(folder / "pulumi")


def test_who_is_logged_in_plays_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    state = StateFolder(tmp_path)
    told = engine_environment(state)
    assert told["PULUMI_BACKEND_URL"] == own_backend(state) == f"file://{tmp_path}/pulumi/backend"
    assert told["PULUMI_CONFIG_PASSPHRASE"] == state.secret("pulumi_passphrase")


def test_what_is_configured_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    state = StateFolder(tmp_path)
    told = engine_environment(state, login_elsewhere(state, "docker"))
    assert told["PULUMI_BACKEND_URL"] == "s3://bucket"
    assert "PULUMI_CONFIG_PASSPHRASE" not in told
