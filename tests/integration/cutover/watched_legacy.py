"""An old database that is watched after a swap: its tables, its users and what is found of them."""

from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL

from ops.books.cutovers import begin_cutover, end_cutover
from ops.cleanup.database import others
from ops.connection import connect
from ops.database_identity import identity
from ops.legacy_access.account import AccessEvidence, access_evidence
from ops.waiting import wait_until

if TYPE_CHECKING:
    from tests.integration.cutover.conftest import Ask

BOOKS = """
CREATE TABLE book (id int PRIMARY KEY, title text);
INSERT INTO book SELECT g, 't' FROM generate_series(1, 5000) AS g;
CREATE TABLE "Other Shelf" (id int);
ANALYZE;
"""


def swap(core: URL, legacy: URL) -> None:
    number = begin_cutover(core, "swap", "plan", identity(legacy), 0)
    end_cutover(core, number, "done", {})


def settled(core: URL, legacy: URL) -> AccessEvidence:
    """The evidence once everybody who has closed a connection is gone, and so is counted."""
    beside = legacy.set(database="postgres")  # a login to it would be counted
    with connect(beside, application_name="tests", autocommit=True) as server:
        assert wait_until(lambda: not others(server, legacy.database or ""), 10)
    return access_evidence(core, legacy)


def untouched(found: AccessEvidence) -> bool:
    """Whether it is known that nobody else read or wrote."""
    return found.known and not (found.reads or found.rows_read or found.writes)


def use(url: URL, query: str = "SELECT * FROM book") -> None:
    with connect(url, application_name="tests") as connection:
        connection.execute(query.encode())


def rows_of(core: URL, ask: "Ask") -> list[tuple[Any, ...]]:
    return ask(core, "SELECT moment, purpose FROM ops.legacy_access ORDER BY id")
