"""What only the chat's tools ask for: tags, price targets, movers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.data.movers import DailyMovers, daily_movers
from app.data.tags import PositionTags, position_tags
from app.data.target_prices import target_prices
from app.errors import NotFoundError
from app.json_response import json_bytes
from app.ownership import owned_portfolio
from ops.demo.book import derived_id
from ops.plan_figures import LAST_DAY
from tests.api.backend import Backend
from tests.api.conftest import HEDGE_FUND
from tests.api.own_book import OwnBook, ask, own_book


@pytest.fixture
def book(backend: Backend) -> Iterator[OwnBook]:
    with own_book(backend) as made:
        yield made


def tags(backend: Backend, user_id: UUID, portfolio_id: UUID | None = None) -> PositionTags:
    return ask(backend.core, lambda session: position_tags(session, user_id, portfolio_id))


def movers(book: OwnBook, portfolio_id: UUID, **options: Any) -> DailyMovers:
    async def asked(session: Any) -> DailyMovers:
        portfolio = await owned_portfolio(session, book.user_id, portfolio_id)
        return await daily_movers(session, portfolio, **options)

    return ask(book.backend.core, asked)


def test_tags_name_the_open_positions_that_carry_them(book: OwnBook) -> None:
    here, there = book.portfolio(), book.portfolio()
    first, second = book.position(here, "OWN_B", 1), book.position(here, "OWN_A", 1)
    third = book.position(there, "OWN_C", 1)
    sold = book.position(here, "OWN_D", 1, exit_date=LAST_DAY)
    book.tag("Both", first, second, third, sold, display_order=2, description="All")
    book.tag("There", third, display_order=1)
    book.tag("Archived", first, is_archived=True)
    found = tags(book.backend, book.user_id, here)
    assert (found["portfolio_id"], found["total"]) == (str(here), 1)
    (tag,) = found["tags"]
    assert (tag["name"], tag["description"], tag["position_count"]) == ("Both", "All", 2)
    assert tag["positions"] == [
        {"position_id": str(second), "symbol": "OWN_A"},
        {"position_id": str(first), "symbol": "OWN_B"},
    ]
    everywhere = tags(book.backend, book.user_id)
    assert [(t["name"], t["position_count"]) for t in everywhere["tags"]] == [
        ("There", 1),
        ("Both", 3),
    ]
    assert json_bytes(everywhere)


def test_tags_of_somebody_elses_portfolio_are_nobodys_business(book: OwnBook) -> None:
    portfolio = book.portfolio()
    with pytest.raises(NotFoundError):
        tags(book.backend, derived_id("user", HEDGE_FUND), portfolio)


def test_price_targets_come_by_symbol_and_can_be_chosen(book: OwnBook) -> None:
    portfolio = book.portfolio()
    amounts = {"current_price": 10, "target_price_eoy": 12.5, "expected_return_eoy": 25}
    book.target(portfolio, "OWN_B", position_type="LONG", **amounts)
    book.target(portfolio, "OWN_A", position_type="SHORT", **amounts)
    book.target(book.portfolio(), "OWN_C", current_price=1)
    path = f"/api/v1/target-prices/{portfolio}"
    with book.client() as client:
        listed = client.get(path).json()
        by_symbol = client.get(path, params={"symbol": "own_b"}).json()
        by_type = client.get(path, params={"position_type": "SHORT"}).json()
    assert [t["symbol"] for t in listed] == ["OWN_A", "OWN_B"]
    assert [t["symbol"] for t in by_symbol] == ["OWN_B"]
    assert [t["symbol"] for t in by_type] == ["OWN_A"]
    target = by_symbol[0]
    assert {name: target[name] for name in amounts} == amounts
    assert target["portfolio_id"] == str(portfolio)
    assert target["downside_target_price"] is None
    assert target["created_at"].endswith("Z")

    async def asked(session: Any) -> Any:
        return await target_prices(session, await owned_portfolio(session, book.user_id, portfolio))

    found = ask(book.backend.core, asked)
    assert (found["total"], found["target_prices"]) == (2, listed)


def _week(book: OwnBook, symbol: str, *closes: float) -> None:
    """Closes of days in a row, the last on the last day."""
    count = len(closes)
    book.prices(
        symbol,
        {LAST_DAY - timedelta(days=count - 1 - n): close for n, close in enumerate(closes)},
    )


def test_a_rising_price_is_a_shorts_loss(book: OwnBook) -> None:
    portfolio = book.portfolio()
    _week(book, "OWN_UP", 80, 90, 90, 90, 100, 110)
    _week(book, "OWN_DOWN", 50, 50, 50, 50, 50, 46)
    _week(book, "OWN_CALM", 10, 10, 10, 10, 10, 10.04)
    book.position(portfolio, "OWN_UP", -3)
    book.position(portfolio, "OWN_UP", -2)  # a second lot
    book.position(portfolio, "OWN_DOWN", 4)
    book.position(portfolio, "OWN_CALM", 100)
    book.position(portfolio, "OWN_FUND", 1, investment_class="PRIVATE")
    found = movers(book, portfolio)
    data, meta = found["data"], found["meta"]
    assert [m["symbol"] for m in data["gainers"]] == ["OWN_UP"]
    assert [m["symbol"] for m in data["losers"]] == ["OWN_DOWN"]
    assert [m["symbol"] for m in data["all_movers"]] == ["OWN_UP", "OWN_DOWN", "OWN_CALM"]
    up = data["gainers"][0]
    assert (up["daily_change_pct"], up["daily_change_dollar"]) == (10, -50)
    assert (up["weekly_change_pct"], up["weekly_change_dollar"]) == (37.5, -150)
    assert (up["current_price"], up["yesterday_price"], up["week_ago_price"]) == (110, 100, 80)
    assert (up["quantity"], up["market_value"]) == (-5, -550)
    change = data["portfolio_daily_change"]
    # -50 on 500 short, -16 on 200 long, +4 on 1,000 long: -62 on 1,700.
    assert change == {
        "pnl_dollar": -62,
        "pnl_pct": pytest.approx(-3.65),
        "total_market_value": 638,
    }
    assert data["portfolio_weekly_change"]["pnl_dollar"] == -162
    assert data["biggest_winner"] == up
    assert (meta["total_positions"], meta["positions_above_threshold"]) == (5, 2)
    assert meta["last_day"] == LAST_DAY.isoformat()


def test_an_options_move_counts_a_hundredfold(book: OwnBook) -> None:
    portfolio = book.portfolio()
    _week(book, "OWN_C", 2, 3)
    book.position(portfolio, "OWN_C", -1, position_type="SC", investment_class="OPTIONS")
    data = movers(book, portfolio)["data"]
    assert data["portfolio_daily_change"]["pnl_dollar"] == -100
    assert data["gainers"][0]["week_ago_price"] is None


def test_what_was_not_priced_on_the_last_day_did_not_move_on_it(book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.prices("OWN_A", {LAST_DAY - timedelta(days=n): 10 - n for n in range(1, 8)})
    _week(book, "OWN_B", 5, 5)
    for symbol in ("OWN_A", "OWN_B"):
        book.position(portfolio, symbol, 1)
    found = movers(book, portfolio)
    for change in ("daily_change_pct", "weekly_change_pct"):
        assert [m[change] for m in found["data"]["all_movers"]] == [0, 0]
    assert found["data"]["gainers"] == []


def test_movers_are_bounded_and_the_week_can_be_left_out(book: OwnBook) -> None:
    portfolio = book.portfolio()
    for n in range(12):
        _week(book, f"OWN_{n}", 100, 101 + n)
        book.position(portfolio, f"OWN_{n}", 1)
    found = movers(book, portfolio, limit=3, threshold_pct=5.5, include_weekly=False)
    assert [m["daily_change_pct"] for m in found["data"]["gainers"]] == [12, 11, 10]
    assert len(found["data"]["all_movers"]) == 10
    assert found["meta"]["positions_above_threshold"] == 7
    assert not any("week" in name for name in found["data"])


def test_a_portfolio_without_prices_has_no_movers(book: OwnBook) -> None:
    found = movers(book, book.portfolio())
    assert found["data"]["all_movers"] == []
    assert found["data"]["biggest_winner"] is None
    assert found["data"]["portfolio_daily_change"]["pnl_pct"] == 0
    assert found["meta"]["last_day"] is None
