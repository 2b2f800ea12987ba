"""When a cleanup may happen at the earliest, and when its schedule is too late to act by itself."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ops.evidence import GOOD_FOR, SEVEN_DAYS

NEW_YORK = ZoneInfo("America/New_York")
_HOUR = time(2, 0)
_MONTH, _DAY = 12, 28


def cleanup_moment(swapped_at: datetime, given: date | None) -> datetime:
    """The moment before which nothing is removed: the one at which the schedule fires.

    Args:
        given: the day that was set; by default the next 28 December after the swap.

    Returns:
        02:00 in New York on that day, or on the first day on which that is seven days after the
        swap.
    """
    return due_time(later_day(given or next_cleanup_day(swapped_at), swapped_at + SEVEN_DAYS))


def is_late(moment: datetime, now: datetime) -> bool:
    """Whether a firing of the schedule comes too late to act by itself: a worker that was down for
    days, or a rule that fires each year. A person may still execute."""
    return now - moment > GOOD_FOR


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
