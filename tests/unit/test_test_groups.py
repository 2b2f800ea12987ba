"""Which process runs a test: a group stays in one, whatever its files; the others are free."""

import os
import subprocess
import sys

import pytest

from app.chain_folders import PROJECT_ROOT
from tests.groups import SCENES

_CONFTEST = f"""
import pytest
from tests.groups import pytest_collection_modifyitems

@pytest.fixture
def {next(iter(SCENES))}(): ...

@pytest.fixture(autouse=True)
def told(request, worker_id):
    with open(request.config.rootpath / "told", "a") as file:
        print(request.path.stem, request.function.__name__, worker_id, file=file)
"""
_FILE = f"""
import time

import pytest

@pytest.mark.parametrize("number", range(5))
def test_shared({next(iter(SCENES))}, number):
    time.sleep(0.1)

@pytest.mark.parametrize("number", range(5))
def test_alone(number): ...
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str]]:
    """File, test and process of a run of two files whose tests share a scene, in their order."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {PROJECT_ROOT}\n")
    for name in ("test_one", "test_two"):
        (folder / f"{name}.py").write_text(_FILE)
    words = ["-p", "xdist", "-n2", "--dist=loadgroup", "--no-loadscope-reorder", str(folder)]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run([sys.executable, "-m", "pytest", *words], check=True, env=environment)
    return [tuple(line.split()) for line in (folder / "told").read_text().splitlines()]


def test_a_scene_is_made_by_one_process(told: list[tuple[str, str, str]]) -> None:
    shared = [(file, worker) for file, test, worker in told if test == "test_shared"]
    assert len(shared) == 10
    assert {file for file, _ in shared} == {"test_one", "test_two"}
    assert len({worker for _, worker in shared}) == 1


def test_the_tests_of_a_file_stay_together_and_both_processes_work(
    told: list[tuple[str, str, str]],
) -> None:
    alone = {(file, worker) for file, test, worker in told if test == "test_alone"}
    assert len(alone) == 2
    assert len({worker for _, _, worker in told}) == 2


def test_a_scene_comes_before_what_is_made_fast(told: list[tuple[str, str, str]]) -> None:
    worker = next(worker for _, test, worker in told if test == "test_shared")
    assert [test for _, test, by in told if by == worker][:10] == ["test_shared"] * 10
