"""When a cleanup may happen at the earliest, and when its schedule is too late to act by itself."""

from datetime import date, datetime, timedelta

from ops.cleanup_date import due_time, later_day, next_cleanup_day

SEVEN_DAYS = timedelta(days=7)
FRESH = timedelta(hours=24)


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
    return now - moment > FRESH
