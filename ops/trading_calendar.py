"""NYSE trading days."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from holidays import HALF_DAY, PUBLIC, financial_holidays

from ops.errors import BadInputError

# From here on two calendars agree; before, the exchange traded on Saturdays, and other rules held.
_FIRST = date(1970, 1, 1)
_KNOWN_AHEAD = timedelta(days=365)
_NEW_YORK = ZoneInfo("America/New_York")
_CLOSE, _EARLY_CLOSE = time(16), time(13)
_SATURDAY = 5
_LONGEST_PAUSE = timedelta(days=14)


@lru_cache
def trading_days(first: date, last: date) -> tuple[date, ...]:
    """The NYSE sessions from `first` to `last`, both included, ascending.

    Raises:
        BadInputError: the range is reversed, holds no session, or leaves the calendar.
    """
    if first > last:
        raise BadInputError(f"the range {first}..{last} is reversed; give the earlier day first")
    end = _end()
    if first < _FIRST or last > end:
        raise BadInputError(f"the range {first}..{last} leaves the NYSE calendar ({_FIRST}..{end})")
    days = tuple(_sessions(first, last))
    if not days:
        raise BadInputError(f"there is no NYSE trading day in {first}..{last}; widen the range")
    return days


def days_without_session(days: Sequence[date]) -> list[date]:
    """Those of `days` on which the NYSE was closed; days that the calendar does not reach are
    taken for sessions."""
    reached = [day for day in days if _FIRST <= day <= _end()]
    if not reached:
        return []
    sessions = set(_sessions(min(reached), max(reached)))
    return [day for day in reached if day not in sessions]


def last_finished_session(now: datetime) -> date:
    """The last session whose closing bell has rung at `now`, which has a time zone; early closes
    are known."""
    there = now.astimezone(_NEW_YORK)
    today = there.date()
    early = today in financial_holidays("NYSE", years=today.year, categories=HALF_DAY)
    rung = there.time() >= (_EARLY_CLOSE if early else _CLOSE)
    last = today if rung else today - timedelta(days=1)
    return _sessions(last - _LONGEST_PAUSE, last)[-1]


def _end() -> date:
    return date.today() + _KNOWN_AHEAD


def _sessions(first: date, last: date) -> list[date]:
    years = range(first.year, last.year + 1)
    closed = financial_holidays("NYSE", years=years, categories=PUBLIC)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() < _SATURDAY and day not in closed]
