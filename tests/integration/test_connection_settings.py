"""What a session's settings are, whatever lies between: hashes and dates depend on them."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from app.database import _engine
from ops.connection import SESSION_SETTINGS, connect
from ops.copy import copy_group
from tests.pooling import pooled, pooling

# What a database may bring of its own; sent settings overrule it, lost ones do not.
OWN_SETTINGS = """
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'America/New_York');
    EXECUTE format('ALTER DATABASE %I SET datestyle = %L', current_database(), 'SQL, DMY');
    EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -5', current_database());
    EXECUTE format('ALTER DATABASE %I SET statement_timeout = %L', current_database(), '9min');
    EXECUTE format('ALTER DATABASE %I SET client_encoding = LATIN1', current_database());
    EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable',
        current_database());
END $$
"""


@pytest.fixture
def odd_database(scratch_database: URL) -> URL:
    """A database whose own settings are none that we could work with."""
    with connect(scratch_database, application_name="tests", autocommit=True) as session:
        session.execute(OWN_SETTINGS)
    return scratch_database


def found_settings(url: URL) -> dict[str, str]:
    query = "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name"
    with connect(url, application_name="tests") as session:
        return dict(session.execute(query, [list(SESSION_SETTINGS)]).fetchall())


def test_the_databases_own_settings_are_overruled(odd_database: URL) -> None:
    assert found_settings(odd_database) == SESSION_SETTINGS
    own = odd_database.update_query_dict({"options": "-c timezone=Asia/Tokyo"})
    assert found_settings(own) == SESSION_SETTINGS


def test_a_limit_of_the_role_ends_no_session_of_ours(odd_database: URL) -> None:
    limits = ("lock_timeout", "idle_session_timeout", "transaction_timeout")
    with connect(odd_database, application_name="tests", autocommit=True) as session:
        for name in limits:
            session.execute(f"ALTER DATABASE {odd_database.database} SET {name} = '9min'".encode())
    with connect(odd_database, application_name="tests") as session:
        for name in limits:
            assert session.execute("SELECT current_setting(%s)", [name]).fetchone() == ("0",)


def test_a_connection_is_idle_when_it_is_given(odd_database: URL) -> None:
    """What proves the settings leaves no transaction behind, in which others would be missed."""
    for autocommit in (True, False):
        with connect(odd_database, application_name="tests", autocommit=autocommit) as session:
            assert session.info.transaction_status.name == "IDLE"
            assert session.autocommit == autocommit


@pooled
def test_settings_that_a_pooler_leaves_out_are_set(odd_database: URL, core_url: URL) -> None:
    with connect(odd_database, application_name="tests", autocommit=True) as session:
        session.execute("CREATE TABLE market_data_cache (symbol text, date timestamptz, close int)")
        session.execute("INSERT INTO market_data_cache VALUES ('A', '2025-01-15 22:00-05', 1)")
    with pooling(odd_database, "session", server_reset_query_always=1) as address:
        assert found_settings(address) == SESSION_SETTINGS
        assert copy_group(address, core_url).tables[0].accepted == 1
    with connect(core_url, application_name="tests") as session:
        days = session.execute("SELECT date::text FROM market_data_cache").fetchall()
    assert days == [("2025-01-16",)]  # its day in UTC


async def asked(url: URL, query: str) -> Any:
    """What the backend is answered."""
    engine = _engine(url, most=1)
    async with engine.connect() as session:
        found = (await session.execute(text(query))).scalar_one()
    await engine.dispose()
    return found


def test_the_backend_reads_times_whatever_the_databases_date_style(odd_database: URL) -> None:
    found = asyncio.run(asked(odd_database, "SELECT timestamptz '2025-01-15 22:00-05'"))
    assert found.isoformat() == "2025-01-15T22:00:00-05:00"


OURS = [
    ("SELECT current_setting('transaction_isolation')", "read committed"),
    ("SELECT U&'\\2603'", "\N{SNOWMAN}"),
]


@pytest.mark.parametrize(("query", "answer"), OURS, ids=["isolation", "encoding"])
def test_the_backend_brings_encoding_and_isolation_itself(
    odd_database: URL, query: str, answer: str
) -> None:
    for given in ({}, {"client_encoding": "latin1"}):
        assert asyncio.run(asked(odd_database.update_query_dict(given), query)) == answer


@pooled
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_it_does_so_through_a_pooler(odd_database: URL, mode: str) -> None:
    with pooling(odd_database, mode) as address:
        assert [asyncio.run(asked(address, query)) for query, _ in OURS] == [a for _, a in OURS]
