"""One small system for all cutovers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.command_line import CommandLine
from tests.faults.cutover import light
from tests.faults.cutover.scene import CutoverScene, losses
from tests.faults.stage import Stage


@pytest.fixture(scope="package")
def scene(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CutoverScene]:
    """The small book, verified, served from the old database."""
    folder = tmp_path_factory.mktemp("light")
    commands = CommandLine(stage.command_line.prefect, folder, light.main)
    scene = CutoverScene(stage, replace(stage, command_line=commands))
    scene.prepare()
    try:
        yield scene
    finally:
        scene.leave()


@pytest.fixture
def swappable(scene: CutoverScene, tmp_path: Path) -> CutoverScene:
    """The same, however the test before has ended."""
    if scene.pointer() == "new":
        scene.light.must(*losses(tmp_path))
    return scene
