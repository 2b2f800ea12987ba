"""Supervised backends that start at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.backend.supervised import SupervisedBackend
from ops.state_folder import StateFolder
from tests.integration.serving.starting import APPLICATION, ENVIRONMENT


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[SupervisedBackend]:
    """One that nobody has started."""
    backend = SupervisedBackend(StateFolder(tmp_path), APPLICATION)
    yield backend
    backend.stop()


@pytest.fixture
def served(backend: SupervisedBackend) -> SupervisedBackend:
    """One that serves the old pair, while the new one stands by."""
    backend.start(ENVIRONMENT, "old")
    backend.wait()
    backend.stage(ENVIRONMENT, "new")
    return backend
