"""A legacy database beside Core, and short ways to fill and read both."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from tests.databases import NewDatabase, create_database
from tests.integration.copy.owned_world import WORLD, copied

Run = Callable[..., list[tuple[Any, ...]]]
IndexesOf = Callable[..., list[tuple[Any, ...]]]
Copied = tuple[URL, URL, URL]
CopiedTemplates = tuple[str, str, str]

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
    """Everything the catalogue says of some tables' indexes, constraints and NOT NULLs."""
    query = """
        SELECT i.indrelid, 'index', x.relname, pg_get_indexdef(x.oid), i.indisvalid::text
        FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
        WHERE i.indrelid = ANY(%(tables)s::regclass[])
        UNION ALL
        SELECT conrelid, 'constraint', conname, pg_get_constraintdef(oid), contype::text
        FROM pg_constraint WHERE conrelid = ANY(%(tables)s::regclass[])
        UNION ALL
        SELECT attrelid, 'column', attname, attnotnull::text, attnum::text
        FROM pg_attribute WHERE attrelid = ANY(%(tables)s::regclass[]) AND attnum > 0
        ORDER BY 1, 2, 3
    """

    def describe(url: URL, *tables: str) -> list[tuple[Any, ...]]:
        with connect(url, application_name="tests") as connection:
            return connection.execute(query, {"tables": list(tables)}).fetchall()

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
    url = create_database(server, old_shape_template)
    with connect(url, application_name="tests") as connection:
        connection.execute(WORLD.encode())
    return str(url.database)


@pytest.fixture
def owned_url(new_database: NewDatabase, owned_template: str) -> URL:
    """An old database of the world in `owned_world`; tests may change it."""
    return new_database(owned_template)


@pytest.fixture(scope="session")
def copied_templates(
    server: EmbeddedServer, owned_template: str, core_template: str, ai_template: str
) -> CopiedTemplates:
    """The names of the world of `owned_world` and of a pair that it was copied into; only to be
    cloned, by `clone_copied`."""
    legacy, core, ai = (
        create_database(server, one) for one in (owned_template, core_template, ai_template)
    )
    copied(legacy, core, ai)
    return str(legacy.database), str(core.database), str(ai.database)


@pytest.fixture
def world_copied(new_database: NewDatabase, copied_templates: CopiedTemplates) -> Copied:
    """Legacy, Core and AI, copied, compared and found equal; tests may change them."""
    return clone_copied(copied_templates, new_database)


# A clone has the same files and rows, written by the same transactions, under another number.
_OF_CLONES = r"""
WITH found AS (
    SELECT datname, oid::text AS oid, array_position(%(names)s::text[], datname::text) AS place
    FROM pg_database
), clones AS (
    SELECT max(oid) FILTER (WHERE place = 1) AS legacy, max(oid) FILTER (WHERE place = 2) AS core,
        max(oid) FILTER (WHERE place = 3) AS ai
    FROM found
), source AS (
    UPDATE ops.copy_source
    SET identity = identity || jsonb_build_object('database_oid', legacy::bigint,
        'database_name', (%(names)s::text[])[1])
    FROM clones
)
UPDATE ops.copy_fingerprints
SET source_seen = regexp_replace(source_seen::text, %(oid)s, '\1' || legacy)::jsonb,
    proved_seen = regexp_replace(proved_seen::text, %(oid)s, '\1' || legacy)::jsonb,
    core_seen = regexp_replace(core_seen::text, %(oid)s,
        '\1' || CASE WHEN starts_with(table_name, 'ai_') THEN ai ELSE core END)::jsonb
FROM clones
"""


def clone_copied(templates: CopiedTemplates, clone: Callable[[str], URL]) -> Copied:
    """Clone databases of which one was copied into the others, and have Core know the clones."""
    legacy, core, ai = map(clone, templates)
    told = {
        "names": [url.database for url in (legacy, core, ai)],
        "oid": '("place": "[^/]+/)[0-9]+',
    }
    with connect(core, application_name="tests", autocommit=True) as connection:
        connection.execute(_OF_CLONES, told)
    return legacy, core, ai
