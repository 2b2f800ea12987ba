"""One date, fired once: activated by a swap, stopped by a rollback, kept by every deploy."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prefect.client.schemas.schedules import RRuleSchedule
from prefect.server.schemas.schedules import RRuleSchedule as ServerSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy.engine import URL

from flows.cleanup_schedule import (
    activate_cleanup_schedule,
    deactivate_cleanup_schedule,
    rule,
    schedule_to_deploy,
)
from flows.deployments import register_deployments
from ops.cleanup.dates import due_time, later_day, next_cleanup_day
from ops.connection import connect, conninfo
from ops.embedded.server import free_port
from ops.evidence import SEVEN_DAYS
from ops.settings import operator_settings
from tests.dashboard.dashboard import Dashboard
from tests.groups import soaked

NEW_YORK = ZoneInfo("America/New_York")
SWAPPED = datetime(2030, 12, 24, 12, tzinfo=UTC)
DAY = date(2031, 1, 1)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[pytest.MonkeyPatch]:
    """An environment without databases, whose changes are seen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGMASIGHT_HOME", str(tmp_path / "home"))
    for name in ("DATABASE_URL", "CLEANUP_DATE"):
        monkeypatch.delenv(name, raising=False)
    operator_settings.cache_clear()
    yield monkeypatch
    operator_settings.cache_clear()


def given(settings: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        settings.setenv(name, value)
    operator_settings.cache_clear()


@pytest.fixture
def here(dashboard: Dashboard, settings: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    """This process talks to the dashboard's server; the schedule is as a first deploy leaves it."""
    with temporary_settings({PREFECT_API_URL: dashboard.api_url}):
        deactivate_cleanup_schedule()
        yield dashboard
        settings.delenv("CLEANUP_DATE", raising=False)
        operator_settings.cache_clear()
        deactivate_cleanup_schedule()


def shown(dashboard: Dashboard) -> tuple[str, bool]:
    """The one schedule that there is."""
    (once,) = dashboard.schedules("cleanup")
    return once["schedule"]["rrule"], once["active"]


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-22T10:00+00:00", "2026-12-28"),
        ("2026-12-28T06:59+00:00", "2026-12-28"),  # a minute before 02:00 in New York
        ("2026-12-28T07:00+00:00", "2027-12-28"),
        ("2027-01-01T03:00+00:00", "2027-12-28"),  # still last year in New York
    ],
)
def test_the_default_is_the_next_28_december(now: str, day: str) -> None:
    assert str(next_cleanup_day(datetime.fromisoformat(now))) == day


@pytest.mark.parametrize(
    ("not_before", "day"),
    [
        ("2026-12-01T00:00+00:00", "2026-12-28"),
        ("2026-12-28T07:00+00:00", "2026-12-28"),
        ("2026-12-28T07:00:01+00:00", "2026-12-29"),
        ("2026-12-31T23:00+00:00", "2027-01-01"),
        ("2027-03-13T08:00+00:00", "2027-03-14"),  # the day without a two o'clock
    ],
)
def test_the_later_of_the_day_and_what_the_swap_allows(not_before: str, day: str) -> None:
    planned = datetime(2026, 12, 28).date()
    assert str(later_day(planned, datetime.fromisoformat(not_before))) == day


@pytest.mark.parametrize("day", ["2026-12-28", "2027-03-14", "2027-11-07", "2028-02-29"])
def test_the_rule_fires_on_its_day_and_never_again(day: str) -> None:
    wanted = datetime.fromisoformat(day).date()
    fired = fired_by(RRuleSchedule(rrule=rule(wanted), timezone="America/New_York"))
    assert [moment.astimezone(NEW_YORK).date() for moment in fired] == [wanted]
    assert abs((fired[0] - due_time(wanted)).total_seconds()) <= 3600  # no two o'clock in March


def fired_by(schedule: RRuleSchedule) -> list[datetime]:
    """What the server plans for it, as far as three years ahead."""
    found = asyncio.run(
        ServerSchedule(rrule=schedule.rrule, timezone=schedule.timezone).get_dates(
            n=5, start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2029, 1, 1, tzinfo=UTC)
        )
    )
    return list(found)


def test_a_swap_activates_it_and_a_rollback_stops_it(here: Dashboard) -> None:
    at_first = shown(here)
    assert not at_first[1]
    for _ in range(2):  # swap, rollback, swap
        for _ in range(2):  # each is idempotent
            assert activate_cleanup_schedule(SWAPPED) == due_time(DAY)
            assert shown(here) == (rule(DAY), True)
        deactivate_cleanup_schedule()
        assert not shown(here)[1]


def test_a_given_day_counts_when_it_is_the_later(
    here: Dashboard, settings: pytest.MonkeyPatch
) -> None:
    given(settings, CLEANUP_DATE="2032-06-01")
    assert activate_cleanup_schedule(SWAPPED) == datetime(2032, 6, 1, 2, tzinfo=NEW_YORK)
    given(settings, CLEANUP_DATE="2030-06-01")
    assert activate_cleanup_schedule(SWAPPED) == due_time(DAY)


@pytest.mark.soak
@pytest.mark.parametrize("by_hand", [False, *soaked(True)])
def test_a_deploy_keeps_what_the_swap_has_activated(here: Dashboard, by_hand: bool) -> None:
    activate_cleanup_schedule(SWAPPED)
    activated = here.schedules("cleanup")
    here.deploy_by_hand() if by_hand else register_deployments()
    assert without_times(here.schedules("cleanup")) == without_times(activated)


def without_times(schedules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in one.items() if k != "updated"} for one in schedules]


def test_other_schedules_of_it_do_not_outlive_a_swap(here: Dashboard) -> None:
    yearly = {"schedule": {"cron": "0 2 28 12 *", "timezone": "America/New_York"}, "active": True}
    here.ask(f"deployments/{here.deployment('cleanup')['id']}/schedules", [yearly])
    assert len(here.schedules("cleanup")) == 2
    activate_cleanup_schedule(SWAPPED)
    assert shown(here) == (rule(DAY), True)


def test_a_run_is_planned_once_and_goes_with_a_rollback(here: Dashboard) -> None:
    for _ in range(2):
        activate_cleanup_schedule(datetime.now(UTC) - SEVEN_DAYS)
        (planned,) = here.planned_runs("cleanup")
        assert planned["parameters"] == {"execute": True}
    deactivate_cleanup_schedule()
    assert here.planned_runs("cleanup") == []


def test_core_knows_whether_a_swap_is_in_force(
    here: Dashboard, settings: pytest.MonkeyPatch, core_url: URL
) -> None:
    given(settings, DATABASE_URL=conninfo(core_url), AI_DATABASE_URL=conninfo(core_url))
    activate_cleanup_schedule(SWAPPED)
    assert schedule_to_deploy()["active"] is False  # no swap: another's date is not taken over
    record(core_url, "swap", "2030-01-31T12:00Z")
    assert told() == (rule(datetime(2030, 12, 28).date()), True)
    given(settings, CLEANUP_DATE="2030-02-01")
    assert told() == (rule(datetime(2030, 2, 8).date()), True)
    record(core_url, "rollback", "2030-02-01T12:00Z")
    assert schedule_to_deploy()["active"] is False


def told() -> tuple[str, bool]:
    found = schedule_to_deploy()
    return found["rrule"], found["active"]


def record(core: URL, kind: str, ended_at: str) -> None:
    with connect(core, application_name="tests") as connection:
        connection.execute(
            "INSERT INTO ops.cutovers (kind, state, plan_id, legacy, accepted_loss, ended_at)"
            " VALUES (%s, 'done', 'plan', '{}', 0, %s)",
            [kind, ended_at],
        )


@pytest.mark.soak
def test_without_a_server_or_a_deployment_a_swap_only_says_so(
    settings: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        assert activate_cleanup_schedule(SWAPPED) is None
        deactivate_cleanup_schedule()
        assert schedule_to_deploy()["active"] is False
    assert "the Prefect server does not answer" in caplog.text
