"""NYSE trading days."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from ops.errors import BadInputError

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar


@lru_cache
def _calendar() -> "ExchangeCalendar":
    import exchange_calendars  # and pandas with it, which many commands do without

    return exchange_calendars.get_calendar("XNYS")


@lru_cache
def trading_days(first: date, last: date) -> tuple[date, ...]:
    """The NYSE sessions from `first` to `last`, both included, ascending.

    Raises:
        BadInputError: the range is reversed, holds no session, or leaves the calendar.
    """
    if first > last:
        raise BadInputError(f"the range {first}..{last} is reversed; give the earlier day first")
    calendar = _calendar()
    if first < calendar.first_session.date() or last > calendar.last_session.date():
        raise BadInputError(
            f"the range {first}..{last} leaves the NYSE calendar "
            f"({calendar.first_session.date()}..{calendar.last_session.date()})"
        )
    days = tuple(day.date() for day in calendar.sessions_in_range(str(first), str(last)))
    if not days:
        raise BadInputError(f"there is no NYSE trading day in {first}..{last}; widen the range")
    return days


def days_without_session(days: Sequence[date]) -> list[date]:
    """Those of `days` on which the NYSE was closed; days that the calendar does not reach are
    taken for sessions."""
    first, last = _calendar().first_session.date(), _calendar().last_session.date()
    sessions = {day.date() for day in _calendar().sessions}
    return [day for day in days if first <= day <= last and day not in sessions]


def last_finished_session(now: datetime) -> date:
    """The last session whose closing bell has rung at `now`, which has a time zone; early closes
    are known."""
    closes = _calendar().closes
    ended = closes.index[closes <= now]
    last: date = ended[-1].date()
    return last
