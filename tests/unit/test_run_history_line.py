"""What the checklist says of the run history: whether what is scheduled will start."""

from datetime import UTC, datetime

import pytest

from ops.status.closing_lines import Dashboard, run_history

DUE = {"backfill": datetime(2026, 12, 1, tzinfo=UTC)}
ACTIVE = {"backfill": True, "follow": False}
SEEN = [
    (("here",), DUE, ACTIVE, None),
    (("here",), {}, {"backfill": False}, None),
    ((), DUE, ACTIVE, "something is scheduled and no worker runs"),
    (("here",), {}, ACTIVE, "the schedule of backfill is active, and this server has planned no"),
]


class _Said:
    def __init__(self, found: Dashboard) -> None:
        self.get = lambda: found


@pytest.mark.parametrize(("workers", "due", "schedules", "stale"), SEEN)
def test_a_schedule_that_starts_nothing_is_told(
    workers: tuple[str, ...],
    due: dict[str, datetime],
    schedules: dict[str, bool],
    stale: str | None,
) -> None:
    line = run_history(_Said(Dashboard("http://h", workers, due, schedules)))  # type: ignore[arg-type]
    assert line.state == "done"
    assert (line.stale or "").startswith(stale or "")
    assert (line.stale is None) == (stale is None)
