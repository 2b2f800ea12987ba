"""When a cleanup may happen, and what a firing of its schedule does by itself."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from ops.books.cleanup_plans import approve
from ops.cleanup.dates import cleanup_moment, is_late
from ops.cleanup.plan import plan_cleanup
from ops.cleanup.scheduled import firing_of
from ops.errors import RefusedError
from tests.integration.cleanup.swapped_world import World

UTC_DATES = (
    # swap, set day → the moment, in UTC; New York is five hours behind, in summer four
    ("2025-12-19 12:00", None, "2025-12-28 07:00"),
    ("2025-12-21 06:59", None, "2025-12-28 07:00"),
    ("2025-12-21 07:01", None, "2025-12-29 07:00"),
    ("2025-12-27 12:00", None, "2026-01-04 07:00"),
    ("2025-12-28 06:59", None, "2026-01-04 07:00"),
    ("2025-12-28 07:01", None, "2026-12-28 07:00"),
    ("2026-03-01 12:00", None, "2026-12-28 07:00"),
    ("2025-12-19 12:00", "2026-07-01", "2026-07-01 06:00"),
    ("2025-12-19 12:00", "2025-12-20", "2025-12-27 07:00"),
    ("2026-03-01 12:00", "2026-03-08", "2026-03-09 06:00"),
)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("swapped", "given", "moment"), UTC_DATES)
def test_the_moment(swapped: str, given: str | None, moment: str) -> None:
    day = date.fromisoformat(given) if given else None
    found = cleanup_moment(_utc(swapped), day)
    assert found.astimezone(UTC) == _utc(moment)
    assert found >= _utc(swapped) + timedelta(days=7)
    assert found.hour == 2


def test_a_firing_is_late_a_day_after_its_moment() -> None:
    moment = cleanup_moment(_utc("2025-12-19 12:00"), None)
    assert not is_late(moment, moment + timedelta(hours=23))
    assert is_late(moment, moment + timedelta(hours=25))
    assert is_late(moment, moment + timedelta(days=365)), "a rule that fires each year"


def test_a_firing_executes_what_was_approved_on_its_day_alone(world: World) -> None:
    def firing(**later: Any) -> str | None:
        scene = world.scene()
        return firing_of(replace(scene, now=scene.now + timedelta(**later))).plan_id

    moment = cleanup_moment(
        world.ask(world.core, "SELECT max(ended_at) FROM ops.cutovers")[0][0],
        world.scene().given_date,
    )
    to_moment = (moment - world.scene().now).total_seconds()
    assert firing(seconds=to_moment + 60) is None, "nothing was approved"
    plan_id = plan_cleanup(world.scene()).plan_id or ""
    with pytest.raises(RefusedError, match="no dry run has shown a plan 0000"):
        approve(world.core, "0000")
    approve(world.core, plan_id)
    assert firing(seconds=to_moment + 60) == plan_id
    assert firing(seconds=to_moment - 60) is None
    assert firing(seconds=to_moment + 25 * 3600) is None
    assert firing(days=365) is None
    world.ask(world.core, "UPDATE ops.cutovers SET kind = 'rollback'")
    assert firing(seconds=to_moment + 60) is None
    world.ask(world.core, "UPDATE ops.cutovers SET kind = 'swap'")
