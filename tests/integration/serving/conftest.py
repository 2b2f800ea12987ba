"""Supervised backends that start at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.backend.supervised import SupervisedBackend
from ops.state_folder import StateFolder
from tests.integration.serving.starting import APPLICATION, ENVIRONMENT


@pytest.fixture
def served(tmp_path: Path) -> Iterator[SupervisedBackend]:
    """One that serves."""
    backend = SupervisedBackend(StateFolder(tmp_path), APPLICATION)
    backend.start(ENVIRONMENT)
    backend.wait()
    yield backend
    backend.stop()
