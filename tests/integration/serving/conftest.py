"""Supervised backends that start at once."""

from collections.abc import Iterator

import pytest

from ops.backend.supervised import SupervisedBackend
from ops.state_folder import StateFolder
from tests.integration.serving.starting import APPLICATION, ENVIRONMENT


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedBackend]:
    backend = SupervisedBackend(StateFolder(tmp_path_factory.mktemp("served")), APPLICATION)
    yield backend
    backend.stop()


@pytest.fixture
def served(kept: SupervisedBackend) -> SupervisedBackend:
    """One that serves, whatever the test before has left of it."""
    kept.start(ENVIRONMENT)
    kept.wait()
    return kept
