"""Positions one by one, and the largest."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from psycopg.rows import dict_row

from ops.connection import connect
from ops.plan_figures import LAST_DAY
from tests.api.backend import Backend
from tests.api.data_requests import only_portfolio
from tests.api.own_book import OwnBook, own_book


@pytest.fixture
def book(backend: Backend) -> Iterator[OwnBook]:
    with own_book(backend) as made:
        yield made


def details(client: httpx.Client, **query: Any) -> dict[str, Any]:
    response = client.get("/api/v1/data/positions/details", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def top(client: httpx.Client, portfolio_id: UUID | str, **query: Any) -> dict[str, Any]:
    response = client.get(f"/api/v1/data/positions/top/{portfolio_id}", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_cost_value_and_profit_are_what_sql_says(
    hedge_fund: httpx.Client, backend: Backend
) -> None:
    portfolio_id = only_portfolio(hedge_fund)
    with connect(backend.core, application_name="tests") as core:
        rows = core.cursor(row_factory=dict_row).execute(
            "SELECT q.id::text, q.quantity * q.entry_price AS cost, q.quantity * m.close AS value, "
            "c.company_name, c.sector, c.industry FROM positions q "
            "LEFT JOIN market_data_cache m ON m.symbol = q.symbol AND m.date = %s "
            "LEFT JOIN company_profiles c ON c.symbol = q.symbol WHERE q.portfolio_id = %s "
            "AND q.investment_class = 'PUBLIC'",
            [LAST_DAY, portfolio_id],
        )
        expected = {row["id"]: row for row in rows}
    found = details(hedge_fund, portfolio_id=portfolio_id)
    listed = {p["id"]: p for p in found["positions"] if p["investment_class"] == "PUBLIC"}
    assert listed.keys() == expected.keys()
    for id_, row in expected.items():
        position = listed[id_]
        cost, value = float(row["cost"]), float(row["value"])
        assert position["cost_basis"] == pytest.approx(cost)
        assert position["market_value"] == pytest.approx(value)
        assert position["unrealized_pnl"] == pytest.approx(value - cost)
        percent = 100 * (value - cost) / abs(cost)
        assert position["unrealized_pnl_percent"] == pytest.approx(percent)
        for name in ("company_name", "sector", "industry"):
            assert position[name] == row[name]
    assert found["summary"]["total_positions"] == 25
    assert found["summary"]["total_cost_basis"] == pytest.approx(
        float(sum(abs(row["cost"]) for row in expected.values()))
    )
    assert found["summary"]["total_unrealized_pnl"] == pytest.approx(
        float(sum(row["value"] - row["cost"] for row in expected.values()))
    )


def test_a_short_gains_when_its_price_falls(book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.prices("OWN_A", {LAST_DAY: 8})
    book.position(portfolio, "OWN_A", -100, entry_price=10)
    with book.client() as client:
        (position,) = details(client, portfolio_id=portfolio)["positions"]
    assert (position["cost_basis"], position["market_value"]) == (-1000, -800)
    assert (position["unrealized_pnl"], position["unrealized_pnl_percent"]) == (200, 20)


def test_an_option_without_a_price_has_neither_value_nor_profit(hedge_fund: httpx.Client) -> None:
    found = details(hedge_fund, portfolio_id=only_portfolio(hedge_fund))
    options = [p for p in found["positions"] if p["investment_class"] == "OPTIONS"]
    assert len(options) == 3
    for option in options:
        assert option["current_price"] is None
        assert (option["market_value"], option["unrealized_pnl"], option["cost_basis"]) == (0, 0, 0)
        assert option["strike_price"] > 0
        assert option["expiration_date"] > LAST_DAY.isoformat()
        assert option["symbol"].startswith(option["underlying_symbol"])


def test_closed_positions_come_when_asked_for(book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.prices("OWN_A", {LAST_DAY: 8})
    kept = book.position(portfolio, "OWN_A", 1)
    sold = book.position(portfolio, "OWN_B", 5, exit_date=date(2025, 9, 1), exit_price=12)
    expired = book.position(
        portfolio,
        "OWN_C",
        2,
        position_type="LP",
        investment_class="OPTIONS",
        expiration_date=date(2025, 9, 19),
    )
    book.position(portfolio, "OWN_D", 5, deleted_at=LAST_DAY)
    with book.client() as client:
        open_ = details(client, portfolio_id=portfolio)
        all_ = details(client, portfolio_id=portfolio, include_closed=True)
    assert [p["id"] for p in open_["positions"]] == [str(kept)]
    assert [p["id"] for p in all_["positions"]] == [str(kept), str(sold), str(expired)]
    assert [p["is_closed"] for p in all_["positions"]] == [False, True, True]
    assert [p["current_price"] for p in all_["positions"]] == [8, 12, None]
    assert [p["market_value"] for p in all_["positions"]] == [8, 0, 0]
    for name in ("total_cost_basis", "total_market_value", "total_unrealized_pnl"):
        assert all_["summary"][name] == open_["summary"][name]


def test_positions_can_be_named_across_portfolios(book: OwnBook) -> None:
    here, there = book.portfolio(), book.portfolio()
    first, second = book.position(here, "OWN_A", 1), book.position(there, "OWN_B", 1)
    book.position(here, "OWN_C", 1)
    tag = book.tag("Named", second, description="By name")
    with book.client() as client:
        found = details(client, position_ids=f"{second}, {first}")["positions"]
        narrowed = details(client, position_ids=f"{second},{first}", portfolio_id=here)
    assert [(p["id"], p["portfolio_id"]) for p in found] == [
        (str(first), str(here)),
        (str(second), str(there)),
    ]
    described = {"id": str(tag), "name": "Named", "color": "#123456", "description": "By name"}
    assert [p["tags"] for p in found] == [[], [described]]
    assert [p["id"] for p in narrowed["positions"]] == [str(first)]


def test_somebody_elses_position_is_no_position(
    book: OwnBook, individual: httpx.Client, hedge_fund: httpx.Client
) -> None:
    theirs = details(hedge_fund, portfolio_id=only_portfolio(hedge_fund))["positions"][0]["id"]
    portfolio = book.portfolio()
    mine = book.position(portfolio, "OWN_A", 1)
    deleted = book.position(portfolio, "OWN_A", 1, deleted_at=LAST_DAY)
    in_deleted = book.position(book.portfolio(deleted_at=LAST_DAY), "OWN_A", 1)
    for path in ("positions/details", "company-profiles"):
        with book.client() as client:
            for other in (theirs, deleted, in_deleted, uuid4()):
                query = {"position_ids": f"{mine},{other}"}
                response = client.get(f"/api/v1/data/{path}", params=query)
                assert response.status_code == 404, (path, other)
                assert response.json() == {"detail": "Position not found"}


def test_without_a_choice_the_request_is_bad(individual: httpx.Client) -> None:
    response = individual.get("/api/v1/data/positions/details")
    assert response.status_code == 400
    assert response.json() == {"detail": "Either portfolio_id or position_ids required"}


def test_details_take_as_many_statements_for_many_positions(
    backend: Backend, book: OwnBook, hedge_fund: httpx.Client
) -> None:
    portfolio = book.portfolio()
    book.tag("All", *[book.position(portfolio, f"OWN_{n}", 1) for n in range(100)])
    counts = []
    with book.client() as client:
        for who, id_ in ((hedge_fund, only_portfolio(hedge_fund)), (client, portfolio)):
            with backend.statements.counted() as sent:
                details(who, portfolio_id=id_, include_closed=True)
            counts.append(len(sent))
    # User, portfolio, holdings, closed ones, profiles, tags.
    assert counts == [6, 6]


def test_the_largest_come_first_whatever_their_sign(
    hedge_fund: httpx.Client, backend: Backend
) -> None:
    portfolio_id = only_portfolio(hedge_fund)
    with connect(backend.core, application_name="tests") as core:
        rows = core.execute(
            "SELECT q.symbol, c.company_name, q.quantity * m.close, c.sector FROM positions q "
            "JOIN market_data_cache m ON m.symbol = q.symbol AND m.date = %s "
            "LEFT JOIN company_profiles c ON c.symbol = q.symbol "
            "WHERE q.portfolio_id = %s ORDER BY abs(q.quantity * m.close) DESC",
            [LAST_DAY, portfolio_id],
        ).fetchall()
    gross = float(sum(abs(row[2]) for row in rows))
    found = top(hedge_fund, portfolio_id, limit=10)
    assert [p["symbol"] for p in found["data"]] == [row[0] for row in rows[:10]]
    for position, (_, name, value, sector) in zip(found["data"], rows[:10], strict=True):
        assert set(position) == {"symbol", "name", "qty", "value", "weight", "sector"}
        assert (position["name"], position["sector"]) == (name, sector)
        assert position["value"] == pytest.approx(float(value), abs=0.006)
        assert position["weight"] == pytest.approx(100 * abs(float(value)) / gross, abs=5e-5)
        assert (position["value"] < 0) == (position["qty"] < 0)
    assert any(p["value"] < 0 for p in found["data"])
    covered = 100 * float(sum(abs(row[2]) for row in rows[:10])) / gross
    assert found["coverage_percent"] == pytest.approx(covered, abs=0.005)
    assert found["total_positions"] == 25
    assert found["meta"]["truncated"] is True
    assert found["meta"]["rows_returned"] == found["meta"]["applied"]["limit"] == 10
    by_weight = top(hedge_fund, portfolio_id, limit=10, sort_by="weight")
    assert by_weight["data"] == found["data"]


def test_an_earlier_day_has_its_own_prices(book: OwnBook) -> None:
    portfolio, earlier = book.portfolio(), LAST_DAY - timedelta(days=30)
    book.prices("OWN_A", {earlier - timedelta(days=3): 5, LAST_DAY: 9})
    book.prices("OWN_B", {LAST_DAY: 7})
    book.position(portfolio, "OWN_A", 2)
    book.position(portfolio, "OWN_B", 2, entry_date=LAST_DAY)
    private = {"investment_class": "PRIVATE", "market_value": 30}
    book.position(portfolio, "OWN_P", 1, **private)
    with book.client() as client:
        now, then = top(client, portfolio), top(client, portfolio, as_of_date=earlier)
        assert [(p["symbol"], p["value"]) for p in now["data"]] == [
            ("OWN_P", 30),
            ("OWN_A", 18),
            ("OWN_B", 14),
        ]
        assert [(p["symbol"], p["value"]) for p in then["data"]] == [("OWN_P", 30), ("OWN_A", 10)]
        assert then["meta"]["applied"]["as_of_date"] == earlier.isoformat()
        for asked, applied in (
            ("0001-01-01", LAST_DAY - timedelta(days=180)),
            ("9999-12-31", LAST_DAY),
        ):
            meta = top(client, portfolio, as_of_date=asked)["meta"]
            assert meta["requested"]["as_of_date"] == asked
            assert meta["applied"]["as_of_date"] == applied.isoformat()


def test_nothing_held_has_no_weights(book: OwnBook) -> None:
    portfolio = book.portfolio()
    with book.client() as client:
        found = top(client, portfolio)
        assert (found["data"], found["coverage_percent"], found["total_positions"]) == ([], 0, 0)
        book.position(portfolio, "OWN_A", 1)
        (position,) = top(client, portfolio)["data"]
    assert (position["value"], position["weight"], position["name"]) == (0, 0, "OWN_A")
