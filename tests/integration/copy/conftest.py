"""A legacy database beside Core, and short ways to fill and read both."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from tests.conftest import NewDatabase, create_database
from tests.integration.copy.owned_world import WORLD

Run = Callable[..., list[tuple[Any, ...]]]
IndexesOf = Callable[[URL, str], list[tuple[Any, ...]]]

PRICES = """
INSERT INTO market_data_cache (id, symbol, date, open, close, volume, data_source, created_at,
    updated_at)
SELECT gen_random_uuid(), 'SYM' || s, date '2025-01-01' + d, 10 + s, 10 + s + d / 100.0,
    1000 * d, 'polygon', '2025-01-01', '2025-06-01'
FROM generate_series(1, 20) AS s, generate_series(1, 50) AS d
"""

# The columns of a foreign table, all as text: what an import from spreadsheets leaves behind.
TEXT_TABLE = """
DROP TABLE market_data_cache;
CREATE TABLE market_data_cache (symbol text, date text, close text, volume text, updated_at text);
"""


@pytest.fixture
def legacy_url(new_database: NewDatabase, core_template: str) -> URL:
    """An empty legacy database of the same shape as Core; tests make it foreign."""
    return new_database(core_template)


@pytest.fixture
def run() -> Run:
    """Run statements on a database; the rows of the last one, if it gives any."""

    def execute(url: URL, statements: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with connect(url, application_name="tests", autocommit=True) as connection:
            cursor = connection.execute(statements, parameters or None)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    return execute


@pytest.fixture
def indexes_of(run: Run) -> IndexesOf:
    """Everything the catalogue says of a table's indexes, constraints and NOT NULLs."""
    query = """
        SELECT 'index', x.relname, pg_get_indexdef(x.oid), i.indisvalid::text
        FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
        WHERE i.indrelid = %(table)s::regclass
        UNION ALL
        SELECT 'constraint', conname, pg_get_constraintdef(oid), contype::text
        FROM pg_constraint WHERE conrelid = %(table)s::regclass
        UNION ALL
        SELECT 'column', attname, attnotnull::text, attnum::text
        FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum > 0
        ORDER BY 1, 2
    """

    def describe(url: URL, table: str) -> list[tuple[Any, ...]]:
        with connect(url, application_name="tests") as connection:
            return connection.execute(query, {"table": table}).fetchall()

    return describe


@pytest.fixture
def insert_texts(run: Run) -> Callable[[URL, Sequence[Sequence[str | None]]], None]:
    """Fill the foreign text table."""

    def insert(url: URL, rows: Sequence[Sequence[str | None]]) -> None:
        values = sql.SQL(", ").join(
            sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, row))) for row in rows
        )
        with connect(url, application_name="tests", autocommit=True) as connection:
            connection.execute(sql.SQL("INSERT INTO market_data_cache VALUES {}").format(values))

    return insert


@pytest.fixture(scope="session")
def owned_template(server: EmbeddedServer, old_shape_template: str) -> str:
    """The name of an old database with a few rows of every user-owned table; only to be cloned."""
    name = "template_owned"
    create_database(server, name, old_shape_template)
    with connect(server.url(name), application_name="tests") as connection:
        connection.execute(WORLD.encode())
    return name


@pytest.fixture
def owned_url(new_database: NewDatabase, owned_template: str) -> URL:
    """An old database of the world in `owned_world`; tests may change it."""
    return new_database(owned_template)
