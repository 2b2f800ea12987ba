"""What the tests of several parts share: databases in the old shape, quick hashes and answers."""

import json
from collections.abc import Collection, Iterator

import pytest
from sqlalchemy.engine import URL

from app.chain_folders import ChainName
from ops.connection import connect
from ops.drift.catalogue import read_catalogue
from ops.drift.difference import Difference
from ops.drift.models import model_differences
from ops.embedded.server import EmbeddedServer
from tests.conftest import NewDatabase, create_database
from tests.integration.legacy_shape import make_legacy


@pytest.fixture(scope="session")
def old_shape_template(server: EmbeddedServer) -> str:
    """The name of an empty database in the old shape; only to be cloned."""
    name = "template_old_shape"
    create_database(server, name)
    make_legacy(server.url(name))
    return name


@pytest.fixture
def old_shape(new_database: NewDatabase, old_shape_template: str) -> URL:
    """An empty database in the old shape; tests may change it."""
    return new_database(old_shape_template)


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed for real, with the fewest rounds that there are."""
    monkeypatch.setattr("ops.demo.book_rows.BCRYPT_COST", 4)


@pytest.fixture(scope="module")
def models_compared_once() -> Iterator[None]:
    """Ask Alembic once about each catalogue: it takes six times as long as all the rest of drift.

    Its answer depends on nothing else, and most databases of these tests have the same one.
    """
    known: dict[tuple[str, ...], list[Difference]] = {}

    def compare(url: URL, chain: ChainName, named: Collection[str]) -> list[Difference]:
        with connect(url, application_name="tests", read_only=True) as connection:
            seen = json.dumps(read_catalogue(connection), sort_keys=True)
        key = (chain, seen, *sorted(named))
        if key not in known:
            known[key] = model_differences(url, chain, named)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ops.drift.audit.model_differences", compare)
        yield
