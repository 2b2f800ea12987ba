"""When the cleanup is due: at two in the morning, New York time, on one day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
_HOUR = time(2, 0)
_MONTH, _DAY = 12, 28


def due_time(day: date) -> datetime:
    """The moment at which a cleanup of that day is due."""
    return datetime.combine(day, _HOUR, NEW_YORK)


def next_cleanup_day(now: datetime) -> date:
    """The next 28 December that is still due at `now`."""
    this_year = date(now.astimezone(NEW_YORK).year, _MONTH, _DAY)
    if due_time(this_year) > now:
        return this_year
    return this_year.replace(year=this_year.year + 1)


def later_day(day: date, not_before: datetime) -> date:
    """The first day from `day` on whose cleanup is due at `not_before` or later."""
    earliest = not_before.astimezone(NEW_YORK).date()
    if due_time(earliest).astimezone(UTC) < not_before.astimezone(UTC):
        earliest += timedelta(days=1)
    return max(day, earliest)
