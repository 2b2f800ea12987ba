"""The dashboard in a real browser: what a person finds on its pages."""

from collections.abc import Iterator

import pytest

from tests.dashboard.browser import Page, browser_page, chromium
from tests.dashboard.conftest import FIRST, LAST
from tests.dashboard.dashboard import NAMED, Dashboard


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser_page(chromium(), tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.mark.soak
def test_the_run_list_says_what_ran_and_for_when(
    page: Page, dashboard: Dashboard, rebuilt_by_button: str
) -> None:
    names = (
        f"rebuild {FIRST}..{LAST}",
        f"backfill {FIRST}..{LAST}",
        f"verify {FIRST}..{LAST}",
        "seed Core",
        "copy all data from legacy",
    )
    text = page.show(f"{dashboard.address}/runs", *names)
    assert [name for name in names if name not in text] == []
    assert "Completed" in text


@pytest.mark.soak
def test_a_run_tells_its_course_like_a_report(
    page: Page, dashboard: Dashboard, rebuilt_by_button: str
) -> None:
    address = f"{dashboard.address}/runs/flow-run/{rebuilt_by_button}"
    lines = (f"rebuild {FIRST}..{LAST}", "position_factor_exposures: plan", "symbol_daily_metrics:")
    text = page.show(address, *lines)
    assert [line for line in lines if line not in text] == []


@pytest.mark.soak
def test_the_artifacts_are_listed_and_say_what_they_are(
    page: Page, dashboard: Dashboard, rebuilt_by_button: str
) -> None:
    keys = ("rebuild-summary", "verify-checks", "backfill-rows", "backfill-progress", "copy-tables")
    text = page.show(f"{dashboard.address}/artifacts", *keys)
    assert [key for key in keys if key not in text] == []


@pytest.mark.soak
def test_a_table_shows_every_check(
    page: Page, dashboard: Dashboard, rebuilt_by_button: str
) -> None:
    question = {"artifacts": {"key": {"any_": ["verify-checks"]}}, "sort": "CREATED_DESC"}
    newest = dashboard.ask("artifacts/filter", question)[0]["id"]
    cells = ("core schema", "loose references", "probe logins", "pass")
    text = page.show(f"{dashboard.address}/artifacts/artifact/{newest}", *cells)
    assert [cell for cell in cells if cell not in text] == []


def test_every_deployment_is_offered(page: Page, dashboard: Dashboard) -> None:
    text = page.show(f"{dashboard.address}/deployments", *NAMED)
    assert [name for name in NAMED if name not in text] == []


@pytest.mark.parametrize("name", ["backfill", "cleanup"])
def test_a_schedule_is_shown_by_when_it_fires(page: Page, dashboard: Dashboard, name: str) -> None:
    deployment = dashboard.deployment(name)
    (schedule,) = deployment["schedules"]
    address = f"{dashboard.address}/deployments/deployment/{deployment['id']}"
    text = page.show(address, schedule["slug"], "Schedules")
    assert schedule["slug"] in text
    assert "new-york" in schedule["slug"]
