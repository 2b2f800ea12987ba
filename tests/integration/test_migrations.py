"""The two chains on real databases, run from code."""

import json
import logging
import py_compile
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import MetaData, create_engine, pool
from sqlalchemy.engine import URL

from app import migration_environment
from app.chain_folders import PROJECT_ROOT, SCRIPT_LOCATIONS, ChainName
from app.models import AiBase, Base
from ops.connection import connect
from ops.errors import BusyError, ConfigurationError, DatabaseUnavailableError, WrongDatabaseError
from ops.migrate import MigrationStoppedError, current, downgrade, heads, upgrade
from tests.databases import NewDatabase

CHAINS: list[ChainName] = ["core", "ai"]
METADATA: dict[ChainName, MetaData] = {"core": Base.metadata, "ai": AiBase.metadata}

CATALOGUE = {
    "columns": """
        SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
        ORDER BY 1, 2
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
        ORDER BY 1, 2
    """,
    "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 2",
    "types": """
        SELECT t.typname, e.enumlabel
        FROM pg_type AS t JOIN pg_enum AS e ON e.enumtypid = t.oid ORDER BY 1, e.enumsortorder
    """,
}


def catalogue(url: URL, *, without: str = "") -> dict[str, list[tuple[object, ...]]]:
    with connect(url, application_name="tests") as connection:
        found = {name: connection.execute(query).fetchall() for name, query in CATALOGUE.items()}
    return {name: [row for row in rows if row[0] != without] for name, rows in found.items()}


def tables(url: URL) -> set[str]:
    return {str(row[0]) for row in catalogue(url)["columns"]}


def make_role(url: URL, name: str, *grants: str) -> URL:
    """A login role without superuser rights, with `grants` (statements) on this database."""
    with connect(url, application_name="tests", autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'pass'").format(sql.Identifier(name))
        )
        for grant in grants:
            connection.execute(sql.SQL(grant).format(role=sql.Identifier(name)))  # type: ignore[arg-type]
    return url.set(username=name, password="pass")


@pytest.fixture
def migrated(request: pytest.FixtureRequest) -> URL:
    """A database as a chain leaves it: that of the test's `chain`, Core's where it has none."""
    chain = getattr(request.node, "callspec", None)
    name = chain.params.get("chain", "core") if chain else "core"
    url: URL = request.getfixturevalue(f"{name}_url")
    return url


@pytest.mark.parametrize(("chain", "count"), [("core", 38), ("ai", 4)])
def test_a_new_database_gets_exactly_its_tables_and_another_session_sees_them(
    chain: ChainName, count: int, scratch_database: URL
) -> None:
    told = {"connect_timeout": "15", "application_name": "api"}
    report = upgrade(chain, scratch_database.update_query_dict(told))
    assert (report.before, report.after, report.changed) == (None, "0001", True)
    assert tables(scratch_database) == {*METADATA[chain].tables, "alembic_version"}
    assert len(tables(scratch_database)) == count
    assert current(chain, scratch_database) == heads(chain)[0]


@pytest.mark.parametrize("chain", CHAINS)
def test_each_chain_has_one_head(chain: ChainName) -> None:
    assert len(heads(chain)) == 1


@pytest.mark.parametrize("chain", CHAINS)
def test_down_and_up_again_leaves_the_same_catalogue(chain: ChainName, migrated: URL) -> None:
    first = catalogue(migrated)
    assert downgrade(chain, migrated).after is None
    assert tables(migrated) == {"alembic_version"}
    assert catalogue(migrated)["types"] == []
    upgrade(chain, migrated)
    assert catalogue(migrated) == first


@pytest.mark.parametrize("chain", CHAINS)
def test_the_models_declare_what_the_chain_builds(
    chain: ChainName, migrated: URL, scratch_database: URL
) -> None:
    with connect(scratch_database, application_name="tests", autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    engine = create_engine(scratch_database, poolclass=pool.NullPool)
    METADATA[chain].create_all(engine)
    assert catalogue(migrated, without="alembic_version") == catalogue(scratch_database)


@pytest.mark.parametrize("chain", CHAINS)
def test_at_head_an_upgrade_runs_nothing_and_needs_no_right_to_create_tables(
    chain: ChainName, migrated: URL
) -> None:
    assert not upgrade(chain, migrated).changed
    backend = make_role(migrated, f"backend_{chain}", "GRANT SELECT ON alembic_version TO {role}")
    assert not upgrade(chain, backend).changed


def test_a_role_that_may_not_create_tables_is_told_so_below_head(scratch_database: URL) -> None:
    backend = make_role(scratch_database, "backend_below")
    with pytest.raises(ConfigurationError, match="lacks a privilege"):
        upgrade("core", backend)
    assert tables(scratch_database) == set()


def test_an_owner_without_superuser_rights_migrates_where_the_extension_was_provided(
    scratch_database: URL,
) -> None:
    owner = make_role(
        scratch_database,
        "owner_provided",
        "CREATE EXTENSION vector",
        "GRANT CREATE ON SCHEMA public TO {role}",
    )
    assert upgrade("ai", owner).after == "0001"


def test_an_owner_who_may_not_create_the_missing_extension_gets_one_line(
    scratch_database: URL,
) -> None:
    owner = make_role(
        scratch_database, "owner_unprovided", "GRANT CREATE ON SCHEMA public TO {role}"
    )
    with pytest.raises(ConfigurationError, match='create extension "vector"') as error:
        upgrade("ai", owner)
    assert "\n" not in str(error.value)
    assert tables(scratch_database) == set()


def test_a_shared_database_keeps_two_versions(core_url: URL) -> None:
    with connect(core_url, application_name="tests", autocommit=True) as connection:
        connection.execute("DROP SCHEMA ops CASCADE")
    upgrade("ai", core_url, shared=True)
    assert tables(core_url) == {
        *Base.metadata.tables,
        *AiBase.metadata.tables,
        "alembic_version",
        "alembic_version_ai",
    }
    downgrade("ai", core_url, shared=True)
    assert current("core", core_url) == "0001"


@pytest.mark.parametrize(("chain", "half"), [("core", "ai_url"), ("ai", "core_url")])
@pytest.mark.parametrize("marked", [True, False])
def test_the_other_half_of_a_pair_is_refused_and_unchanged(
    chain: ChainName, half: str, marked: bool, request: pytest.FixtureRequest
) -> None:
    url: URL = request.getfixturevalue(half)
    if not marked:
        with connect(url, application_name="tests", autocommit=True) as connection:
            connection.execute("DROP SCHEMA ops CASCADE")
    before = catalogue(url)
    with pytest.raises(WrongDatabaseError, match="half of a pair"):
        upgrade(chain, url)
    assert catalogue(url) == before


def test_a_legacy_database_is_an_error_for_a_phase(old_shape: URL) -> None:
    with pytest.raises(WrongDatabaseError, match="is a legacy database"):
        upgrade("core", old_shape)


def test_a_failing_revision_leaves_nothing_behind(scratch_database: URL) -> None:
    with connect(scratch_database, application_name="tests", autocommit=True) as connection:
        connection.execute("CREATE TYPE positiontype AS ENUM ('OTHER')")
    with pytest.raises(MigrationStoppedError, match='type "positiontype" already exists') as error:
        upgrade("core", scratch_database)
    assert "\n" not in str(error.value)
    assert tables(scratch_database) == set()


@pytest.mark.parametrize("chain", CHAINS)
def test_an_unreachable_server_is_one_line_without_the_password(chain: ChainName) -> None:
    url = URL.create("postgresql+psycopg", "owner", "canary", "127.0.0.1", 1, "core")
    with pytest.raises(DatabaseUnavailableError) as error:
        upgrade(chain, url)
    assert "canary" not in str(error.value)


def test_two_chains_in_two_threads_end_in_their_own_databases(new_database: NewDatabase) -> None:
    urls: dict[ChainName, URL] = {"core": new_database(), "ai": new_database()}
    threads = [threading.Thread(target=upgrade, args=item) for item in urls.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for chain, url in urls.items():
        assert tables(url) == {*METADATA[chain].tables, "alembic_version"}


def test_existing_loggers_stay_enabled(core_url: URL) -> None:
    logger = logging.getLogger("prefect.flow_runs")
    upgrade("core", core_url)
    assert not logger.disabled


def test_a_migration_does_not_queue_behind_a_lock(
    core_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(migration_environment._TIMEOUTS, "lock_timeout", "100ms")
    with connect(core_url, application_name="tests") as connection:
        connection.execute("SELECT FROM users")
        with pytest.raises(BusyError, match="holds a lock"):
            downgrade("core", core_url)
    assert len(tables(core_url)) == 38


def test_a_migration_that_never_gets_its_turn_says_so(
    scratch_database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_environment, "_LOCK_PATIENCE_SECONDS", 0.0)
    with connect(scratch_database, application_name="tests") as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('sigmasight migrations'))")
        with pytest.raises(BusyError, match="another migration"):
            upgrade("ai", scratch_database)
    assert upgrade("ai", scratch_database).changed


PARALLEL_WORKERS_PROBE = """
CREATE SCHEMA probe;
CREATE TABLE probe.workers (index_name text, workers text);
CREATE FUNCTION probe.record() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO probe.workers
    SELECT object_identity, current_setting('max_parallel_maintenance_workers')
    FROM pg_event_trigger_ddl_commands();
END $$;
CREATE EVENT TRIGGER record ON ddl_command_end WHEN TAG IN ('CREATE INDEX')
EXECUTE FUNCTION probe.record();
"""


@pytest.mark.parametrize(
    ("version", "single_process"), [("0.8.1", True), ("0.8.4", False), ("0.10.0", False)]
)
def test_hnsw_is_built_by_one_process_on_a_vulnerable_pgvector(
    version: str, single_process: bool, scratch_database: URL
) -> None:
    with connect(scratch_database, application_name="tests", autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute(
            "UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", [version]
        )
        connection.execute(PARALLEL_WORKERS_PROBE)
    upgrade("ai", scratch_database)
    with connect(scratch_database, application_name="tests") as connection:
        row = connection.execute(
            "SELECT workers FROM probe.workers WHERE index_name LIKE '%%_hnsw'"
        ).fetchone()
    assert row is not None
    assert (row[0] == "0") is single_process


@pytest.mark.parametrize("chain", CHAINS)
def test_a_new_revision_starts_with_the_safety_rules(chain: ChainName, tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    shutil.copytree(SCRIPT_LOCATIONS[chain], folder)
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    revision = command.revision(config, message="Add a column", rev_id="0002")
    written = Path(revision.path)  # type: ignore[union-attr]
    text = written.read_text()
    assert text.startswith('"""Add a column.')
    assert "before AND after" in text
    assert 'down_revision: str | None = "0001"' in text
    py_compile.compile(str(written), doraise=True)


def offline_script(chain: ChainName, folder: Path) -> Path:
    script = folder / f"{chain}.sql"
    with script.open("w") as stream:
        config = Config(output_buffer=stream)
        config.set_main_option("script_location", str(SCRIPT_LOCATIONS[chain]))
        config.set_main_option("path_separator", "os")
        config.attributes["url"] = URL.create("postgresql+psycopg", database="offline")
        command.upgrade(config, "head", sql=True)
    return script


@pytest.mark.parametrize("chain", CHAINS)
def test_squawk_passes_on_the_offline_script(chain: ChainName, tmp_path: Path) -> None:
    script = offline_script(chain, tmp_path)
    squawk = Path(sys.executable).parent / "squawk"
    run = subprocess.run(
        [squawk, "--config", PROJECT_ROOT / ".squawk.toml", "--reporter", "json", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(run.stdout) == []
    assert run.returncode == 0


@pytest.mark.parametrize("chain", CHAINS)
def test_the_offline_script_builds_what_the_chain_builds(
    chain: ChainName, migrated: URL, scratch_database: URL, tmp_path: Path
) -> None:
    script = offline_script(chain, tmp_path)
    with connect(scratch_database, application_name="tests", autocommit=True) as connection:
        connection.execute(script.read_bytes())
    assert catalogue(scratch_database) == catalogue(migrated)
