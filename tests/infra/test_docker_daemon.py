"""What the Docker daemon is asked, of one that speaks its HTTP API at a local socket and keeps what
it was told."""

import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pulumi
import pytest
from docker import ContextAPI

from infra.docker_daemon import docker_daemon, remove_container
from tests.infra.docker_program import docker_program

VOLUME = "sigmasight-docker-core-data"
OURS = {"sigmasight.stack": "docker-3f9c"}
RESOURCE: dict[str, Any] = {
    "type": "docker:index/container:Container",
    "inputs": {
        "name": "sigmasight-docker-3f9c-core",
        "labels": [{"label": "sigmasight.stack", "value": "docker-3f9c"}],
    },
}


@dataclass
class Daemon:
    """A daemon with volumes, and with one container that has filled its volume when it is asked
    the second time.

    Attributes:
        volumes: labels by name.
        told: what it was asked, in order.
    """

    volumes: dict[str, dict[str, str] | None] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def answer(self, method: str, url: str) -> tuple[int, Any]:
        path = urlsplit(url).path.removeprefix("/v1.44")
        self.told.append(f"{method} {path}")
        if path == "/version":
            return 200, {"ApiVersion": "1.44"}
        if path == "/volumes":
            named = [{"Name": name, "Labels": found} for name, found in self.volumes.items()]
            return 200, {"Volumes": named}
        if path == "/containers/json":
            return 200, [{"Id": "c0ffee"}] if self._has(url) else []
        settled = self.told.count("GET /containers/c0ffee/json") > 2
        health = {"Status": "healthy" if settled else "starting"}
        return 200, {"Id": "c0ffee", "State": {"Status": "running", "Health": health}}

    @staticmethod
    def _has(url: str) -> bool:
        filters = json.loads(parse_qs(urlsplit(url).query)["filters"][0])
        assert filters["name"] == ["^/?sigmasight-docker-3f9c-core$"]
        return bool(filters["label"] == ["sigmasight.stack=docker-3f9c"])


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    found = Daemon()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = found.answer(self.command, self.path)
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_args: object) -> None:
            pass

    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "d"), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/d")
        yield found
        server.shutdown()


# Volumes


@pytest.mark.parametrize(
    "labels", [{"sigmasight.stack": "docker-77aa"}, {"com.docker.compose.project": "shop"}]
)
def test_anothers_volume_is_refused_before_anything_is_declared(
    daemon: Daemon, labels: dict[str, str]
) -> None:
    daemon.volumes[VOLUME] = labels
    [(key, value)] = labels.items()
    with pytest.raises(pulumi.RunError) as refusal:
        docker_program()
    assert str(refusal.value) == (
        f"the Docker volume {VOLUME} is not of this stack but labelled {key}={value}; give the "
        "stack names of its own by `pulumi config set sigmasight:identity VALUE`, or, if nobody "
        f"needs those data, `docker volume rm {VOLUME}`"
    )


@pytest.mark.parametrize("labels", [{"sigmasight.stack": "docker"}, {}, None])
def test_a_volume_of_the_stack_or_a_restored_one_is_used(
    daemon: Daemon, labels: dict[str, str] | None
) -> None:
    daemon.volumes = {VOLUME: labels, "others": {"sigmasight.stack": "docker-77aa"}}
    assert docker_program().outputs["target"] == "docker"
    assert "GET /volumes" in daemon.told


def test_a_new_stack_needs_an_identity_that_no_clone_shares(daemon: Daemon) -> None:
    daemon.volumes["others"] = None
    with pytest.raises(pulumi.RunError, match="is new on its Docker host and has no identity"):
        docker_program()
    docker_program(identity="3f9c")


# What an engine that was killed has left


def leftover(resource: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    with docker_daemon(lambda _key: None) as asked:
        assert asked is not None
        remove_container(asked, resource, lines.append)
    return lines


def test_a_leftover_goes_once_its_volume_is_filled(daemon: Daemon) -> None:
    assert leftover(RESOURCE) == [
        "removed the container sigmasight-docker-3f9c-core, which a killed run had left"
    ]
    assert daemon.told.count("GET /containers/c0ffee/json") == 3
    assert daemon.told[-2:] == ["POST /containers/c0ffee/stop", "DELETE /containers/c0ffee"]


@pytest.mark.parametrize(
    "other",
    [
        {**RESOURCE, "type": "docker:index/volume:Volume"},
        {**RESOURCE, "inputs": {**RESOURCE["inputs"], "labels": []}},
    ],
)
def test_nothing_else_is_removed(daemon: Daemon, other: dict[str, Any]) -> None:
    assert leftover(other) == []
    assert not [said for said in daemon.told if not said.startswith("GET")]


# Which daemon


def test_a_context_comes_before_a_host_and_configuration_before_both(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    ContextAPI.create_context("lab", host=f"unix://{tmp_path}/d")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    cases: list[tuple[str, dict[str, str], bool]] = [
        ("", {}, False),
        ("", {"host": f"unix://{tmp_path}/d"}, True),
        ("lab", {}, True),
        ("lab", {"context": "unheard-of"}, False),
    ]
    for context, configured, answers in cases:
        monkeypatch.setenv("DOCKER_CONTEXT", context)
        with docker_daemon(configured.get) as asked:
            assert (asked is not None) == answers, (context, configured)
