"""How far a nightly backfill goes, by the exchange's calendar and the prices that are there."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.server import EmbeddedServer
from ops.errors import BadInputError, VerificationError
from ops.nightly import tonight
from ops.seed import seed
from ops.trading_calendar import last_finished_session
from tests.databases import NewDatabase, create_database

NEW_YORK = ZoneInfo("America/New_York")
SYMBOLS = ("SPY", "AAPL", "MSFT", "NVDA", "QQQ")
WEEK = ("2025-12-15", "2025-12-16", "2025-12-17", "2025-12-18", "2025-12-19")


@pytest.fixture(scope="module")
def book_template(server: EmbeddedServer, core_template: str) -> str:
    url = create_database(server, core_template)
    seed(url, demo_password="demo")
    return str(url.database)


@pytest.fixture
def core(new_database: NewDatabase, book_template: str) -> URL:
    """A book without prices."""
    return new_database(book_template)


def price(core: URL, days: Sequence[str], symbols: Sequence[str] = SYMBOLS) -> None:
    with connect(core, application_name="tests") as connection:
        for day in days:
            for symbol in symbols:
                insert_close(connection, symbol, day)


def insert_close(connection: psycopg.Connection, symbol: str, day: str) -> None:
    connection.execute(
        "INSERT INTO market_data_cache "
        "(id, symbol, date, close, data_source, created_at, updated_at)"
        " VALUES (gen_random_uuid(), %s, %s, 100, 'tests', now(), now())",
        [symbol, day],
    )


def evening(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T20:00").replace(tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("moment", "session"),
    [
        ("2025-12-19T15:59", "2025-12-18"),
        ("2025-12-19T16:00", "2025-12-19"),
        ("2025-12-21T20:00", "2025-12-19"),  # Sunday
        ("2025-12-25T20:00", "2025-12-24"),  # Christmas Day
        ("2025-11-28T12:59", "2025-11-26"),  # an early close, the day after Thanksgiving
        ("2025-11-28T13:00", "2025-11-28"),
    ],
)
def test_a_session_has_ended_when_its_bell_has_rung(moment: str, session: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=NEW_YORK)
    assert last_finished_session(now) == date.fromisoformat(session)
    assert last_finished_session(now.astimezone(UTC)) == date.fromisoformat(session)


def test_it_goes_up_to_the_session_that_has_ended(core: URL) -> None:
    price(core, WEEK)
    night = tonight(core, evening("2025-12-19"))
    assert (str(night.session), str(night.priced)) == ("2025-12-19", "2025-12-19")
    assert night.nothing_new == "every session up to 2025-12-19, the last one, is computed"


def test_prices_of_a_day_that_has_not_ended_do_not_count(core: URL) -> None:
    price(core, WEEK)
    night = tonight(core, datetime(2025, 12, 19, 11, tzinfo=NEW_YORK))
    assert (str(night.session), str(night.priced)) == ("2025-12-18", "2025-12-18")


@pytest.mark.parametrize("now", ["2025-12-22", "2025-12-23"])
def test_prices_may_be_late_for_two_sessions(core: URL, now: str) -> None:
    price(core, WEEK)
    night = tonight(core, evening(now))
    assert str(night.priced) == "2025-12-19"
    assert night.nothing_new == "no new prices yet: the last ones are of 2025-12-19"


@pytest.mark.parametrize("now", ["2025-12-24", "2025-12-25"])  # early close; then a holiday
def test_after_three_sessions_without_prices_it_fails_and_says_what_to_do(
    core: URL, now: str
) -> None:
    price(core, WEEK)
    with pytest.raises(VerificationError, match="3 sessions ended without new prices") as failed:
        tonight(core, evening(now))
    assert "2025-12-22 to 2025-12-24; say by PRICES_FOLDER or PRICES_FROM" in str(failed.value)


@pytest.mark.parametrize("symbols", [SYMBOLS[1:], SYMBOLS[:3]], ids=["no market", "half"])
def test_a_day_whose_prices_are_being_loaded_is_not_computed_yet(
    core: URL, symbols: Sequence[str]
) -> None:
    price(core, WEEK)
    price(core, ["2025-12-22"], symbols)
    assert str(tonight(core, evening("2025-12-22")).priced) == "2025-12-19"


def test_a_missing_symbol_among_many_does_not_hold_the_night_up(core: URL) -> None:
    price(core, WEEK)
    price(core, ["2025-12-22"], SYMBOLS[:4])
    assert str(tonight(core, evening("2025-12-22")).priced) == "2025-12-22"


def test_without_any_price_it_says_what_to_do(core: URL) -> None:
    with pytest.raises(BadInputError, match="run `sigmasight copy` first"):
        tonight(core, evening("2025-12-19"))
