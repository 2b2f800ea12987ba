"""`pulumi up` as its own users type it: the real engine and language host, state of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from app.chain_folders import PROJECT_ROOT
from ops.embedded.databases import NAMES, EmbeddedDatabases
from ops.state_folder import StateFolder
from tests.infra.test_external_program import SECRETS

HOST = "pulumi-language-python"


@dataclass(frozen=True)
class Clone:
    """A copy of the project, in which somebody types commands."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str, **told: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.folder,
            env={**self.environment, **told},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def done(self, *words: str, **told: str) -> str:
        ended = self.run(*words, **told)
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    def changed(self) -> str:
        return self.done("git", "status", "--short")


@pytest.fixture
def clone(engine: str, homes: Callable[[], StateFolder], tmp_path: Path) -> tuple[Clone, Path]:
    """A fresh clone with its environment, and a state folder that is not there yet."""
    near = Path(engine).resolve().parent
    host = shutil.which(HOST) or shutil.which(HOST, path=str(near))
    if host is None:
        pytest.skip(f"{HOST} is not here; an official installation of Pulumi brings it")
    folder, state = tmp_path / "clone", homes().root
    state.rmdir()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(
        None, subprocess.check_output(listed, cwd=PROJECT_ROOT).decode().split("\0")
    ):
        if (PROJECT_ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT_ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    (tmp_path / "stacks").mkdir()
    path = os.pathsep.join([str(near), str(Path(host).parent), os.environ["PATH"]])
    told = {"PATH": path, "SIGMASIGHT_HOME": str(state), "PULUMI_CONFIG_PASSPHRASE": "pass"}
    told |= {"PULUMI_HOME": str(tmp_path / "pulumi"), "HOME": str(tmp_path)}
    made = Clone(folder, {**told, "PULUMI_SKIP_UPDATE_CHECK": "true"})
    made.done("git", "init", "--quiet")
    (folder / ".git" / "info" / "exclude").write_text(".venv\n")
    made.done("git", "add", "--all")
    return made, state


@pytest.mark.soak
def test_a_fresh_clone_is_brought_up_by_pulumi_alone(clone: tuple[Clone, Path]) -> None:
    typed, folder = clone
    before = typed.changed()
    typed.done("pulumi", "login", f"file://{typed.folder.parent}/stacks")
    typed.done("pulumi", "stack", "init", "embedded")
    said = typed.done("pulumi", "up", "--yes", "--non-interactive")
    servers = EmbeddedDatabases(StateFolder(folder))
    pids = {name: server.pid for name in NAMES if (server := servers.server(name).process())}
    assert set(pids) == set(NAMES)
    assert (typed.changed(), "Traceback" in said) == (before, False)

    sigmasight = (sys.executable, "-m", "flows.cli", "pulumi")
    nobody = f"{typed.folder.parent}/logged-in-nowhere"
    typed.done(*sigmasight, "preview", "--expect-no-changes", PULUMI_HOME=nobody)

    typed.done("pulumi", "config", "set", "active", "new")
    refused = typed.run("pulumi", "up", "--yes", "--non-interactive")
    assert (refused.returncode != 0, "Traceback" in refused.stdout) == (True, False)
    assert "the stack says active: new, but old serves" in refused.stdout
    found = {name: server.pid for name in NAMES if (server := servers.server(name).process())}
    assert (found, typed.changed()) == (pids, before)


@pytest.mark.soak
def test_the_example_workflow_previews_a_pull_request_with_the_policy_pack(
    clone: tuple[Clone, Path],
) -> None:
    typed, _ = clone
    stacks = {"PULUMI_BACKEND_URL": f"file://{typed.folder.parent}/stacks", "STACK": "external"}
    typed.done("pulumi", "stack", "init", "external", **stacks)
    for key, value in SECRETS.items():
        typed.done("pulumi", "config", "set", "--secret", key, value, **stacks)
    file = typed.folder / "Pulumi.external.yaml"
    workflow = yaml.safe_load((typed.folder / "docs/examples/preview.yml").read_text())
    lines = [step["run"] for step in workflow["jobs"]["preview"]["steps"] if "run" in step]
    told = {**stacks, "STACK_FILE": file.read_text()}
    file.unlink()
    # The clone has its environment already.
    said = [typed.done("sh", "-ec", line, **told) for line in lines if not line.startswith("make")]
    assert "sigmasight@v0.1.0 (local: infra/policies)" in said[-1]
    assert "PostgresInstance" in said[-1]
