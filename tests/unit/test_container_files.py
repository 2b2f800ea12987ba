"""What a deployment is built from says the plan's start command, and lacks nothing."""

import ast
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.chain_folders import PROJECT_ROOT

PLAN = [
    "alembic -c alembic.ini upgrade head",
    "alembic -c alembic_ai.ini upgrade head",
    # exec: the signal that ends the container is to reach the backend, not the shell.
    "exec uvicorn app.main:app --host 0.0.0.0 --port $PORT",
]
OWN = {"app", "migrations_core", "migrations_ai"}


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    text = (PROJECT_ROOT / "Dockerfile").read_text()
    lines = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def last(dockerfile: list[tuple[str, str]], instruction: str) -> str:
    return [words for name, words in dockerfile if name == instruction][-1]


def test_both_deployments_start_as_the_plan_says(dockerfile: list[tuple[str, str]]) -> None:
    railway = tomllib.loads((PROJECT_ROOT / "railway.toml").read_text())
    assert ast.literal_eval(last(dockerfile, "CMD")) == ["sh", "-c", " && ".join(PLAN)]
    (before,) = railway["deploy"]["preDeployCommand"]
    assert shlex.split(before) == ["sh", "-c", " && ".join(PLAN[:-1])]
    assert shlex.split(railway["deploy"]["startCommand"]) == ["sh", "-c", PLAN[-1]]
    assert railway["build"]["dockerfilePath"] == "Dockerfile"


def test_the_container_is_nobody_special_and_watched(dockerfile: list[tuple[str, str]]) -> None:
    assert last(dockerfile, "USER") not in ("root", "0")
    _, probe = last(dockerfile, "HEALTHCHECK").split(" CMD ", 1)
    program = ast.literal_eval(probe)
    assert program[0] == "python"
    assert "/health" in program[2]
    assert "PORT=8000" in last(dockerfile, "ENV")
    assert last(dockerfile, "EXPOSE") == "8000"


def test_the_base_image_can_be_chosen(dockerfile: list[tuple[str, str]]) -> None:
    assert ("ARG", "BASE_IMAGE=python:3.11-slim") in dockerfile
    bases = [words.split()[0] for name, words in dockerfile if name == "FROM"]
    assert bases == ["${BASE_IMAGE}", "${BASE_IMAGE}"]


def test_only_what_the_image_copies_is_sent_to_its_builder(
    dockerfile: list[tuple[str, str]],
) -> None:
    lines = (PROJECT_ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    copied = {
        part.removeprefix("./")
        for name, words in dockerfile
        if name == "COPY" and "--from" not in words
        for part in words.split()[:-1]
    }
    assert copied == allowed
    assert all((PROJECT_ROOT / name).exists() for name in copied)


def test_the_backends_packages_are_those_of_the_whole_and_enough() -> None:
    whole, backend = pins("requirements.txt"), pins("requirements-backend.txt")
    assert backend.items() <= whole.items()
    assert all("--hash=sha256:" in pin for pin in backend.values())
    roots = (PROJECT_ROOT / "requirements-backend.in").read_text().splitlines()
    needed = closure(line for line in roots if line and line[0] != "#")
    assert needed - {canonicalize_name(line.split("==")[0]) for line in backend} == set()


def test_every_package_that_the_backend_imports_is_named() -> None:
    roots = {
        canonicalize_name(Requirement(line).name)
        for line in (PROJECT_ROOT / "requirements-backend.in").read_text().splitlines()
        if line and line[0] != "#"
    }
    named = {file.parts[0].split(".")[0] for root in roots for file in metadata.files(root) or []}
    imported = {module for name in OWN for module in imports(PROJECT_ROOT / name)}
    assert imported - OWN - sys.stdlib_module_names - named == set()


def pins(name: str) -> dict[str, str]:
    """First line → the pin with all its hashes, wherever it is needed."""
    text = re.sub(r" ; .*(?= \\$)", "", (PROJECT_ROOT / name).read_text(), flags=re.MULTILINE)
    blocks = [block for block in re.split(r"(?m)^(?=[a-z0-9])", text) if block.strip()]
    return {block.splitlines()[0]: block for block in blocks}


def closure(roots: Iterator[str]) -> set[str]:
    """Everything that the installed packages of these names need here."""
    waiting, seen = [Requirement(root) for root in roots], set[tuple[str, frozenset[str]]]()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        for line in metadata.requires(wanted.name) or []:
            needed = Requirement(line)
            extras = wanted.extras | {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(needed)
    return {name for name, _ in seen}


def imports(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.split(".")[0]
