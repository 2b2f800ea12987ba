"""What the tests of several parts share: databases in the old shape, quick hashes and answers."""

import pytest
from sqlalchemy.engine import URL

from ops.embedded.server import EmbeddedServer
from tests.databases import NewDatabase, create_database
from tests.integration.legacy_shape import make_legacy


@pytest.fixture(scope="session")
def old_shape_template(server: EmbeddedServer) -> str:
    """The name of an empty database in the old shape; only to be cloned."""
    url = create_database(server)
    make_legacy(url)
    return str(url.database)


@pytest.fixture
def old_shape(new_database: NewDatabase, old_shape_template: str) -> URL:
    """An empty database in the old shape; tests may change it."""
    return new_database(old_shape_template)


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed for real, with the fewest rounds that there are."""
    monkeypatch.setattr("ops.demo.book_rows.BCRYPT_COST", 4)
