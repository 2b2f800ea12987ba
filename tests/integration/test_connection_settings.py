"""What a session's settings are, whatever lies between: hashes and dates depend on them."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from app import database
from ops.connection import SESSION_SETTINGS, connect
from ops.copy import copy_group
from ops.embedded.account import server_account
from ops.embedded.server import LOOPBACK, free_port
from ops.errors import ConfigurationError, DatabaseUnavailableError
from ops.waiting import wait_until

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pooled = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")

# What a database may bring of its own; sent settings overrule it, lost ones do not.
OWN_SETTINGS = """
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'America/New_York');
    EXECUTE format('ALTER DATABASE %I SET datestyle = %L', current_database(), 'SQL, DMY');
    EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -5', current_database());
    EXECUTE format('ALTER DATABASE %I SET statement_timeout = %L', current_database(), '9min');
END $$
"""


@contextmanager
def pooling(database: URL, mode: str) -> Iterator[URL]:
    """A pooler that leaves out what is sent at the start, between us and a database."""
    address = database.set(port=free_port())
    to = f"host={database.host} port={database.port} user={database.username}"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        file, account = Path(folder) / "pgbouncer.ini", server_account()
        file.write_text(
            f"[databases]\n* = {to} password={database.password}\n[pgbouncer]\n"
            f"listen_addr = {LOOPBACK}\nlisten_port = {address.port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {mode}\nserver_reset_query_always = 1\n"
            "ignore_startup_parameters = extra_float_digits,options\n"
        )
        account.own(file)
        command = [str(PGBOUNCER), "--quiet", str(file)]
        with subprocess.Popen(command, **account.popen_options()) as pooler:
            try:
                assert wait_until(lambda: _answers(address), 10)
                yield address
            finally:
                pooler.terminate()


def _answers(address: URL) -> bool:
    try:
        connect(address, application_name="tests").close()
    except DatabaseUnavailableError:
        return False
    except ConfigurationError:  # it answers, and keeps no settings
        return True
    return True


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
    with pooling(odd_database, "session") as address:
        assert found_settings(address) == SESSION_SETTINGS
        assert copy_group(address, core_url).tables[0].accepted == 1
    with connect(core_url, application_name="tests") as session:
        days = session.execute("SELECT date::text FROM market_data_cache").fetchall()
    assert days == [("2025-01-16",)]  # its day in UTC


@pooled
def test_settings_that_do_not_last_are_refused(odd_database: URL) -> None:
    with (
        pooling(odd_database, "transaction") as address,
        pytest.raises(ConfigurationError, match="extra_float_digits is '-5'") as refusal,
    ):
        connect(address, application_name="tests")
    assert "transaction pooler" in str(refusal.value)
    assert str(odd_database.password) not in str(refusal.value)


def prepared_after_reading(address: URL) -> int:
    """How many statements the backend's connection has prepared, once one was read often. Its own
    engine is left alone: a backend of these tests may run in this process."""
    engine = database._engine(address, pool_size=1, max_overflow=0)

    async def read() -> int:
        try:
            for _ in range(8):
                async with database.get_core_session() as session:
                    await session.execute(text("SELECT 1"))
            async with database.get_core_session() as session:
                known = text("SELECT count(*) FROM pg_prepared_statements")
                return int((await session.execute(known)).scalar_one())
        finally:
            await engine.dispose()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "core_engine", lambda: engine)
        return asyncio.run(read())


def test_the_backend_keeps_what_it_has_prepared(scratch_database: URL) -> None:
    assert prepared_after_reading(scratch_database) == 1


@pooled
def test_behind_a_transaction_pooler_the_backend_prepares_nothing(scratch_database: URL) -> None:
    with pooling(scratch_database, "transaction") as address:
        assert prepared_after_reading(address) == 0
