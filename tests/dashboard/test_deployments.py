"""What `sigmasight dashboard` and `prefect deploy --all` leave on the server."""

import re
from datetime import date, datetime
from inspect import unwrap
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.deployments import are_registered, register_deployments
from flows.rebuild import rebuild
from ops.errors import BadInputError
from tests.dashboard.dashboard import NAMED, Dashboard, shape

NEW_YORK = ZoneInfo("America/New_York")
SECRET_WORDS = re.compile("password|secret|token|url|dsn", re.IGNORECASE)


@pytest.fixture(scope="module")
def registered(dashboard: Dashboard) -> dict[str, dict[str, Any]]:
    return {name: dashboard.deployment(name) for name in NAMED}


def test_the_command_says_where_to_look(dashboard: Dashboard) -> None:
    said = dashboard.outputs[0]
    assert f"dashboard: {dashboard.address}" in said
    assert f"deployments: {', '.join(NAMED)}" in said


@pytest.mark.parametrize("name", NAMED)
def test_a_deployment_says_what_it_does(registered: dict[str, Any], name: str) -> None:
    found = registered[name]
    assert found["description"].count(".") >= 2  # sentences
    assert "phase" in found["tags"]
    assert (found["work_pool_name"], found["status"]) == ("sigmasight", "READY")
    assert found["global_concurrency_limit"]["limit"] == 1
    assert found["job_variables"] == {"working_dir": "."}
    assert found["pull_steps"] == []


@pytest.mark.parametrize("name", NAMED)
def test_every_field_of_the_form_is_explained_and_none_is_a_secret(
    registered: dict[str, Any], name: str
) -> None:
    fields = registered[name]["parameter_openapi_schema"]["properties"]
    assert [key for key, field in fields.items() if not field.get("description")] == []
    assert [key for key in fields if SECRET_WORDS.search(key)] == []


def test_what_waits_and_what_is_turned_away(registered: dict[str, Any]) -> None:
    waiting = [
        name
        for name, found in registered.items()
        if found["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    ]
    assert waiting == ["backfill", "backup"]


def test_the_nightly_backfill_runs_on_weekday_evenings_in_new_york(
    dashboard: Dashboard, registered: dict[str, Any]
) -> None:
    """Seen on Prefect 3.9.1 with whenever 0.10.5, below Python 3.13: the schedule plans nothing."""
    (nightly,) = registered["backfill"]["schedules"]
    assert (nightly["active"], nightly["parameters"]) == (True, {"last": None})
    cron = nightly["schedule"]
    assert (cron["cron"], cron["timezone"]) == ("0 20 * * 1-5", "America/New_York")
    planned = [run["expected_start_time"] for run in dashboard.planned_runs("backfill")]
    evenings = {datetime.fromisoformat(at).astimezone(NEW_YORK) for at in planned}
    assert {(day.hour, day.minute, day.weekday() < 5) for day in evenings} == {(20, 0, True)}


def test_the_cleanup_has_one_schedule_that_is_not_active(registered: dict[str, Any]) -> None:
    (once,) = registered["cleanup"]["schedules"]
    assert not once["active"]
    assert re.fullmatch(
        r"DTSTART:\d{4}1228T020000\nRRULE:FREQ=DAILY;COUNT=1", once["schedule"]["rrule"]
    )
    assert once["schedule"]["timezone"] == "America/New_York"


def test_a_deploy_makes_what_the_server_lacks_and_keeps_the_schedules_of_persons(
    dashboard: Dashboard, registered: dict[str, Any]
) -> None:
    """Seen on Prefect 3.9.1: an empty list of schedules warns, and will remove them one day."""
    (hourly,) = registered["follow"]["schedules"]
    assert (hourly["active"], hourly["schedule"]["cron"]) == (False, "30 * * * *")
    backup, follow = (UUID(registered[name]["id"]) for name in ("backup", "follow"))
    sundays = [{"schedule": {"cron": "0 3 * * 0"}, "slug": "sundays"}]
    with (
        temporary_settings({PREFECT_API_URL: dashboard.api_url}),
        get_client(sync_client=True) as client,
    ):
        assert are_registered()
        client.delete_deployment(client.read_deployment_by_name("rehearse/rehearse").id)
        assert not are_registered(), "a rebuild makes it again"
        client.update_deployment_schedule(follow, UUID(hourly["id"]), active=True)
        dashboard.ask(f"deployments/{backup}/schedules", sundays)
        (added,) = dashboard.schedules("backup")
        register_deployments()
        assert are_registered()
        assert [one["active"] for one in dashboard.schedules("follow")] == [True]
        assert dashboard.schedules("backup") == [added]
        client.update_deployment_schedule(follow, UUID(hourly["id"]), active=False)
        client.delete_deployment_schedule(backup, UUID(added["id"]))


def test_a_rebuild_by_button_refuses_days_that_make_no_range_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flows.rebuild.provision", lambda: pytest.fail("it has begun"))
    with pytest.raises(BadInputError, match="is reversed"):
        unwrap(rebuild.fn)(date(2025, 7, 15), date(2025, 7, 1))


@pytest.mark.soak
def test_again_and_by_hand_leave_the_same(dashboard: Dashboard) -> None:
    before = {name: shape(dashboard.deployment(name)) for name in NAMED}
    worker = dashboard.worker_process
    said = dashboard.run("sigmasight", "dashboard")
    assert "running already" in said
    assert dashboard.worker_process == worker
    assert {name: shape(dashboard.deployment(name)) for name in NAMED} == before
    dashboard.deploy_by_hand()
    assert {name: shape(dashboard.deployment(name)) for name in NAMED} == before


def test_the_worker_is_shown_as_online(dashboard: Dashboard) -> None:
    workers = dashboard.ask("work_pools/sigmasight/workers/filter", {})
    online = [worker["name"] for worker in workers if worker["status"] == "ONLINE"]
    assert online == [dashboard.worker.name]
