"""The calendar beside a second one."""

from datetime import UTC, date, datetime, timedelta

import exchange_calendars
import pytest

from ops.trading_calendar import days_without_session, last_finished_session, trading_days

REFERENCE = exchange_calendars.get_calendar("XNYS", start="1971-01-01")
FIRST, LAST = REFERENCE.first_session.date(), REFERENCE.last_session.date()


def test_sessions_are_those_of_a_second_calendar() -> None:
    assert list(trading_days(FIRST, LAST)) == [day.date() for day in REFERENCE.sessions]


@pytest.mark.parametrize("minutes", [-1, 0])
def test_a_session_ends_when_its_bell_rings_early_closes_included(minutes: int) -> None:
    closes = REFERENCE.closes[REFERENCE.closes >= "2024-01-01"]
    moments = [close.to_pydatetime() + timedelta(minutes=minutes) for close in closes]
    ended = closes.index if minutes == 0 else closes.index[:-1]
    found = [last_finished_session(moment) for moment in moments[0 if minutes == 0 else 1 :]]
    assert found == [day.date() for day in ended]


def test_days_beyond_the_calendar_are_taken_for_sessions() -> None:
    assert days_without_session([date(1931, 12, 25), date(2199, 12, 25)]) == []
    assert days_without_session([date(2025, 1, 8), date(2025, 1, 9), date(2025, 1, 11)]) == [
        date(2025, 1, 9),  # the day of mourning for President Carter
        date(2025, 1, 11),
    ]


def test_the_day_is_new_yorks() -> None:
    assert last_finished_session(datetime(2025, 12, 23, 2, tzinfo=UTC)) == date(2025, 12, 22)
