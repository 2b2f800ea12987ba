"""Evidence of who used legacy after resets, kills and restarts: what is not known is said."""

import signal
import time
from collections.abc import Callable

import psutil
import pytest
from sqlalchemy.engine import URL

from ops.assessment.account import assess
from ops.assessment.report import account_lines
from ops.books.cutovers import begin_cutover, end_cutover
from ops.connection import connect, writing_session
from ops.database_identity import identity, is_weak
from ops.embedded.server import EmbeddedServer, free_port
from ops.errors import ConfigurationError, DatabaseUnavailableError
from ops.legacy_access.account import access_evidence, begin_window, recorded_access, restart_window
from tests.databases import NewDatabase, create_database
from tests.groups import soaked
from tests.integration.cutover.conftest import As, Ask
from tests.integration.cutover.locking import killed_at_the_end
from tests.integration.cutover.watched_legacy import BOOKS, rows_of, settled, swap, untouched, use


@pytest.fixture
def legacy(new_database: NewDatabase, books_template: str) -> URL:
    """A database with two tables, owned by the superuser."""
    return new_database(books_template)


@pytest.fixture
def core(core_url: URL, legacy: URL) -> URL:
    """Core after a swap from `legacy`, with the window just begun."""
    swap(core_url, legacy)
    begin_window(core_url, legacy)
    return core_url


def test_a_window_of_an_earlier_swap_does_not_count(core: URL, legacy: URL) -> None:
    number = begin_cutover(core, "rollback", "plan", identity(legacy), 0)
    end_cutover(core, number, "done", {})
    swap(core, legacy)
    assert "no window" in str(access_evidence(core, legacy).reason)
    begin_window(core, legacy)
    assert untouched(access_evidence(core, legacy))


RESETS = [
    ("legacy", "SELECT pg_stat_reset()", "statistics were reset"),
    (
        "legacy",
        "SELECT pg_stat_reset_single_table_counters('book'::regclass)",
        "statistics were reset",
    ),
    ("legacy", "SELECT pg_stat_reset_shared('bgwriter')", "stopped uncleanly, or"),
    # What a server says that lost its counts and noted no reset.
    (
        "core",
        "UPDATE ops.legacy_access SET counters = jsonb_set(counters,"
        " '{tables,public.book,scans}', '99') WHERE moment = 'after'",
        "counter scans of book fell",
    ),
    (
        "core",
        "UPDATE ops.legacy_access SET counters = jsonb_set(counters, '{sessions}', '999')"
        " WHERE moment = 'after'",
        "counter sessions fell",
    ),
]


@pytest.mark.parametrize(
    ("where", "reset", "reason"), [*RESETS[::3], *soaked(*RESETS[1:3], RESETS[4])]
)
def test_after_a_reset_nothing_is_known_until_a_new_window_begins(
    core: URL, legacy: URL, ask: Ask, where: str, reset: str, reason: str
) -> None:
    with recorded_access(core, legacy, "copy"):
        use(legacy)
    begun = access_evidence(core, legacy).since
    ask(legacy if where == "legacy" else core, reset)
    found = access_evidence(core, legacy)
    assert (found.known, found.restarts, untouched(found), found.since) == (
        False,
        True,
        False,
        None,
    )
    assert reason in str(found.reason)
    with recorded_access(core, legacy, "verify"):
        use(legacy)
    found = access_evidence(core, legacy)
    assert untouched(found)
    assert found.since is not None
    assert begun is not None
    assert found.since > begun
    assert reason in found_reason(core, ask)


def found_reason(core: URL, ask: Ask) -> str:
    """Why the last window began."""
    windows = "SELECT purpose FROM ops.legacy_access WHERE moment = 'window' ORDER BY id DESC"
    return str(ask(core, windows)[0][0])


def test_another_database_at_the_address_is_not_taken_for_legacy(
    core: URL, legacy: URL, new_database: NewDatabase
) -> None:
    other = new_database(str(legacy.database))
    assert identity(other) != identity(legacy)
    assert "another database" in str(access_evidence(core, other).reason)
    assert untouched(access_evidence(core, legacy))
    # An access there begins a window that is of no use for the old database.
    with recorded_access(core, other, "copy"):
        use(other)
    assert access_evidence(core, legacy).reason == "another database answered at its address"
    restart_window(core, legacy, "the address was wrong for a while")
    assert untouched(access_evidence(core, legacy))


def test_a_killed_access_leaves_a_doubt_and_a_living_one_does_not(
    core: URL, legacy: URL, ask: Ask
) -> None:
    def read(then: Callable[[], None]) -> None:
        with (
            recorded_access(core, legacy, "killed copy"),
            connect(legacy, application_name="x") as session,
        ):
            session.execute("SELECT * FROM book")
            then()

    with killed_at_the_end(read):
        found = access_evidence(core, legacy)
        assert (found.known, found.restarts) == (False, False)
        assert "killed copy) is going on" in str(found.reason)
    deadline = time.monotonic() + 10
    while not (found := access_evidence(core, legacy)).restarts:
        assert time.monotonic() < deadline
    assert "killed copy) was cut off" in str(found.reason)
    with recorded_access(core, legacy, "verify"):
        use(legacy)
    assert untouched(settled(core, legacy))
    assert found_reason(core, ask) == found.reason


@pytest.mark.soak
def test_an_autovacuum_is_nobody(own_server: EmbeddedServer, core_url: URL, ask: Ask) -> None:
    legacy = create_database(own_server)
    ask(legacy, BOOKS)
    swap(core_url, legacy)
    begin_window(core_url, legacy)
    deadline = time.monotonic() + 60
    while not _vacuumed_after_an_access(core_url, legacy, ask):
        assert time.monotonic() < deadline
    found = settled(core_url, legacy)
    assert untouched(found)
    assert (found.reads, found.rows_read, found.writes) == (0, 0, 0)


def _vacuumed_after_an_access(core: URL, legacy: URL, ask: Ask) -> bool:
    """Give the autovacuum work, and see whether it came while nobody of ours was there."""
    with recorded_access(core, legacy, "copy"):
        use(legacy, "UPDATE book SET title = 'u' WHERE id % 2 = 0")
    came = """
        SELECT last_autovacuum > %s AND last_autoanalyze > %s FROM pg_stat_user_tables
        WHERE relname = 'book'
    """
    ended = ask(legacy, "SELECT clock_timestamp()")[0][0]
    deadline = time.monotonic() + 5
    while ask(legacy, came, [ended, ended]) != [(True,)]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_a_clean_restart_keeps_the_window_and_an_unclean_one_does_not(
    own_server: EmbeddedServer, core_url: URL, ask: Ask
) -> None:
    legacy = create_database(own_server)
    ask(legacy, BOOKS)
    swap(core_url, legacy)
    begin_window(core_url, legacy)
    with recorded_access(core_url, legacy, "copy"):
        use(legacy)
    whose = identity(legacy)
    legacy = restarted(own_server, legacy, signal.SIGINT)
    assert identity(legacy) == whose
    assert untouched(access_evidence(core_url, legacy))
    legacy = restarted(own_server, legacy, signal.SIGKILL)
    assert identity(legacy) == whose
    found = access_evidence(core_url, legacy)
    assert (found.known, found.restarts) == (False, True)
    assert "stopped uncleanly" in str(found.reason)
    with recorded_access(core_url, legacy, "verify"):
        use(legacy)
    assert untouched(access_evidence(core_url, legacy))


def test_what_a_standby_counts_is_not_its_primarys(
    own_server: EmbeddedServer, core_url: URL, ask: Ask
) -> None:
    legacy = create_database(own_server)
    ask(legacy, BOOKS)
    swap(core_url, legacy)
    begin_window(core_url, legacy)
    signal_file = own_server.data / "standby.signal"
    signal_file.touch()
    legacy = restarted(own_server, legacy, signal.SIGINT)
    assert any("a standby:" in line for line in account_lines(assess(legacy)))
    with pytest.raises(ConfigurationError, match="this is a standby"):
        writing_session(legacy, "lock")
    with recorded_access(core_url, legacy, "assessment"):
        use(legacy)
    found = access_evidence(core_url, legacy)
    assert (found.known, found.restarts) == (False, False)
    assert "a standby answers" in str(found.reason)
    signal_file.unlink()
    legacy = restarted(own_server, legacy, signal.SIGINT)
    assert rows_of(core_url, ask) == [("window", "the swap ended")]


def restarted(server: EmbeddedServer, legacy: URL, how: signal.Signals) -> URL:
    """End a server so, and start it again elsewhere; the new address of its database."""
    process = server.process()
    assert process is not None
    process.send_signal(how)
    psutil.wait_procs([process], timeout=20)
    server.start(free_port())
    return server.url(str(legacy.database))


def test_a_server_that_goes_away_during_an_access_leaves_a_doubt(
    own_server: EmbeddedServer, core_url: URL, ask: Ask
) -> None:
    legacy = create_database(own_server)
    ask(legacy, BOOKS)
    swap(core_url, legacy)
    begin_window(core_url, legacy)
    with recorded_access(core_url, legacy, "copy"):
        own_server.stop()
    with (
        pytest.raises(DatabaseUnavailableError),
        recorded_access(core_url, legacy, "verify"),
    ):
        pytest.fail("began although legacy does not answer")
    own_server.start(free_port())
    found = access_evidence(core_url, own_server.url(str(legacy.database)))
    assert "an access of ours (copy) was cut off" in str(found.reason)


def test_a_hidden_system_identifier_makes_a_weaker_identity(
    server: EmbeddedServer, legacy: URL, as_role: As, new_database: NewDatabase, ask: Ask
) -> None:
    app, other = as_role(legacy, "lock_app"), new_database()
    assert not is_weak(identity(app))
    ask(legacy, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    weak = identity(app)
    assert is_weak(weak)
    assert weak == identity(app)
    assert weak["database_oid"] == identity(legacy)["database_oid"]
    ask(other, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    assert identity(as_role(other, "lock_app"))["system_identifier"] != weak["system_identifier"]
