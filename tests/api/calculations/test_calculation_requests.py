"""What a calculation is asked to do, and when it is not started at all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import pytest

from ops.books.run_lock import exclusive_run
from tests.api.calculations.desk import FAMILY, LAST, Desk, calculate, status_of
from tests.api.conftest import INDIVIDUAL
from tests.prefect_session import ask


@contextmanager
def own_portfolio(desk: Desk, entries: list[str]) -> Iterator[str]:
    """A portfolio without snapshots, with a position entered on each day."""
    portfolio = str(uuid4())
    user = desk.rows("SELECT id FROM users WHERE email = %s", INDIVIDUAL)[0][0]
    desk.rows(
        "INSERT INTO portfolios (id, user_id, name, account_name, account_type, currency,"
        " equity_balance, created_at, updated_at) VALUES (%s, %s, 'New', %s, 'taxable', 'USD',"
        " 50000, now(), now())",
        portfolio, user, portfolio,
    )  # fmt: skip
    for day in entries:
        desk.rows(
            "INSERT INTO positions (id, portfolio_id, symbol, position_type, quantity,"
            " entry_price, entry_date, investment_class, created_at, updated_at)"
            " VALUES (gen_random_uuid(), %s, 'AAPL', 'LONG', 10, 200, %s, 'PUBLIC', now(), now())",
            portfolio, day,
        )  # fmt: skip
    try:
        yield portfolio
    finally:
        for relation in ("positions", "portfolio_snapshots"):
            desk.rows(f"DELETE FROM {relation} WHERE portfolio_id = %s", portfolio)
        desk.rows("DELETE FROM portfolios WHERE id = %s", portfolio)


@pytest.mark.parametrize(
    ("entries", "first"),
    [
        (["2025-11-03", "2025-12-01"], "2025-11-03"),
        (["2019-01-02"], "2025-07-01"),  # not before the book's first day
        (["2026-01-15"], LAST),
        ([], "2025-07-01"),
    ],
)
def test_the_range_of_a_new_portfolio_begins_with_its_first_entry(
    entries: list[str], first: str, desk: Desk
) -> None:
    with own_portfolio(desk, entries) as portfolio, desk.client() as client:
        job_id = calculate(client, portfolio).json()["batch_run_id"]
        parameters = desk.flow_run(job_id)["parameters"]
    assert (parameters["first"], parameters["last"]) == (first, LAST)


def test_where_nothing_is_missing_the_newest_day_is_asked_for(desk: Desk) -> None:
    with desk.client() as client:
        job_id = calculate(client, desk.portfolios()[0]).json()["batch_run_id"]
    parameters = desk.flow_run(job_id)["parameters"]
    assert (parameters["first"], parameters["last"]) == (LAST, LAST)


def test_the_preprocessing_says_what_is_known_of_the_symbols(desk: Desk) -> None:
    with own_portfolio(desk, ["2025-11-03"]) as portfolio, desk.client() as client:
        desk.rows(
            "INSERT INTO positions SELECT (jsonb_populate_record(p, jsonb_build_object("
            "'id', gen_random_uuid(), 'symbol', s))).* FROM positions p, "
            "unnest(ARRAY['WBA', 'NOPRICE']) AS s WHERE p.portfolio_id = %s",
            portfolio,
        )
        found = calculate(client, portfolio).json()["preprocessing"]
    assert found.pop("warnings") == ["No close since 2025-11-19: NOPRICE, WBA"]
    assert len(found.pop("recommendations")) == 1
    profiled = desk.rows(
        "SELECT 1 FROM company_profiles WHERE symbol IN ('AAPL', 'WBA', 'NOPRICE')"
    )
    assert found == {
        "symbols_count": 3,
        "security_master_enriched": len(profiled),
        "prices_bootstrapped": 2,
        "price_coverage_percentage": 33.3,
        "ready_for_batch": False,
    }


def test_the_address_under_portfolios_does_the_same(desk: Desk) -> None:
    portfolio = desk.portfolios()[0]
    with desk.client() as client:
        response = client.post(f"/api/v1/portfolios/{portfolio}/calculate")
        assert response.status_code == 200, response.text
        started = response.json()
        job_id = started["batch_run_id"]
        url = f"/api/v1/portfolios/{portfolio}/batch-status/{job_id}"
        assert started["message"].endswith(url)
        assert client.get(url).json() == status_of(client, portfolio, job_id)
        assert client.post(f"/api/v1/portfolios/{portfolio}/calculate").status_code == 409


def test_of_many_requests_at_once_one_is_taken(desk: Desk) -> None:
    portfolio = desk.portfolios()[0]
    with desk.client() as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: calculate(client, portfolio), range(8)))
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 7]
    assert desk.unfinished() == 1


@pytest.mark.parametrize(
    ("status", "age", "held", "expected"),
    [
        ("pending", "5 s", False, 409),  # its run may be about to be created
        ("pending", "2 minutes", False, 202),  # Prefect knows no run of it
        ("running", "2 days", True, 409),
        ("running", "5 s", False, 202),  # a running job holds the lock
        ("failed", "5 s", False, 202),
        ("completed", "5 s", False, 202),
    ],
)
def test_a_job_blocks_the_next_one_while_something_works_on_it(
    status: str, age: str, held: bool, expected: int, desk: Desk
) -> None:
    portfolio = desk.portfolios()[0]
    given = desk.given_job(portfolio, status, age)
    with desk.client() as client:
        if held:
            with exclusive_run(desk.core):
                assert calculate(client, portfolio).status_code == expected
                assert status_of(client, portfolio, given)["elapsed_seconds"] > 86_400
        else:
            assert calculate(client, portfolio).status_code == expected
    blocked = expected == 409
    assert desk.unfinished() == 1
    assert desk.job(given)["status"] == (status if blocked or status == "completed" else "failed")


def test_a_job_that_waits_for_its_run_blocks_however_old_it_is(desk: Desk) -> None:
    portfolio = desk.portfolios()[0]
    with desk.client() as client:
        job_id = calculate(client, portfolio).json()["batch_run_id"]
        desk.rows("UPDATE batch_jobs SET created_at = created_at - interval '1 day'")
        assert calculate(client, portfolio).status_code == 409
        cancelled = {"state": {"type": "CANCELLED"}, "force": True}
        ask(desk.prefect, f"flow_runs/{desk.flow_run(job_id)['id']}/set_state", cancelled)
        assert calculate(client, portfolio).status_code == 202
    assert desk.job(job_id)["status"] == "failed"


def test_jobs_of_other_portfolios_do_not_block(desk: Desk) -> None:
    first, second = desk.portfolios(FAMILY)
    with desk.client(FAMILY) as client:
        assert calculate(client, first).status_code == 202
        assert calculate(client, second).status_code == 202


def test_a_job_is_shown_with_its_portfolio_only(desk: Desk) -> None:
    first, second = desk.portfolios(FAMILY)
    with desk.client(FAMILY) as client, desk.client() as other:
        job_id = calculate(client, first).json()["batch_run_id"]
        for asking, portfolio, asked in (
            (client, second, job_id),
            (client, first, str(uuid4())),
            (client, str(uuid4()), job_id),
            (other, first, job_id),
            (other, desk.portfolios()[0], job_id),
        ):
            for base in ("analytics/portfolio", "portfolios"):
                url = f"/api/v1/{base}/{portfolio}/batch-status/{asked}"
                assert asking.get(url).status_code == 404
        assert calculate(other, first).status_code == 404
        url = f"/api/v1/portfolios/{first}/batch-status/nonsense"
        assert client.get(url).status_code == 422
