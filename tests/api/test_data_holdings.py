"""What counts as held, at which price, with which tags."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from ops.plan_figures import LAST_DAY
from tests.api.backend import Backend
from tests.api.data_requests import complete
from tests.api.own_book import OwnBook, own_book


@pytest.fixture
def book(backend: Backend) -> Iterator[OwnBook]:
    with own_book(backend) as made:
        yield made


def test_what_was_left_is_not_held(book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.daily_prices("OWN_A", 3)
    kept = book.position(portfolio, "OWN_A", 5)
    book.position(portfolio, "OWN_A", 7, deleted_at=LAST_DAY)
    book.position(portfolio, "OWN_A", 9, exit_date=LAST_DAY, exit_price=30)
    option = {"position_type": "LC", "investment_class": "OPTIONS"}
    last_day = book.position(portfolio, "OWN_C1", 1, **option, expiration_date=LAST_DAY)
    yesterday = LAST_DAY - timedelta(days=1)
    book.position(portfolio, "OWN_C2", 1, **option, expiration_date=yesterday)
    with book.client() as client:
        found = complete(client, portfolio)
    assert [h["id"] for h in found["holdings"]] == [str(kept), str(last_day)]


def test_an_option_counts_a_hundredfold_and_a_short_one_against(book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.prices("OWN_C", {LAST_DAY: 2.5})
    option = {"investment_class": "OPTIONS", "expiration_date": date(2026, 6, 18)}
    book.position(portfolio, "OWN_C", 4, position_type="LC", **option)
    book.position(portfolio, "OWN_C", -3, position_type="SC", **option)
    with book.client() as client:
        found = complete(client, portfolio)
        (listed,) = client.get("/api/v1/data/portfolios").json()
    assert {h["market_value"] for h in found["holdings"]} == {1000, -750}
    assert found["positions_summary"]["total_market_value"] == listed["total_market_value"] == 250


NAN = float("nan")


@pytest.mark.parametrize(
    ("closes", "price"),
    [
        pytest.param({date(2025, 12, 18): 11, LAST_DAY: NAN}, 11, id="no number"),
        pytest.param({date(2025, 12, 18): 12, LAST_DAY: 0}, 12, id="zero"),
        pytest.param({date(2025, 12, 18): 13, LAST_DAY: -1}, 13, id="negative"),
        pytest.param({date(2020, 1, 2): 14}, 14, id="old"),
        pytest.param({}, None, id="never priced"),
        pytest.param({LAST_DAY: NAN}, None, id="nothing usable"),
    ],
)
def test_the_price_is_the_last_usable_close(
    book: OwnBook, closes: dict[date, float], price: float | None
) -> None:
    portfolio = book.portfolio()
    book.prices("OWN_A", closes)
    book.position(portfolio, "OWN_A", 10)
    with book.client() as client:
        (holding,) = complete(client, portfolio)["holdings"]
    assert holding["last_price"] == price
    assert holding["market_value"] == 10 * (price or 0)
    assert holding["has_complete_history"] is False


def test_the_price_is_of_the_newest_day_not_of_the_newest_row(book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.prices("OWN_A", {LAST_DAY: 50})
    book.prices("OWN_A", {date(2025, 1, 2): 40})  # corrected later, so updated last
    book.position(portfolio, "OWN_A", 1)
    with book.client() as client:
        (holding,) = complete(client, portfolio)["holdings"]
    assert holding["last_price"] == 50


@pytest.mark.parametrize(("market_value", "value"), [(750, 750), (None, 200), (0, 200), (NAN, 200)])
def test_a_private_asset_shows_its_book_value(
    book: OwnBook, market_value: float | None, value: float
) -> None:
    portfolio = book.portfolio()
    private = {"investment_class": "PRIVATE", "market_value": market_value}
    book.prices("OWN_P", {LAST_DAY: 999})  # somebody trades under its symbol
    book.position(portfolio, "OWN_P", 20, **private)
    with book.client() as client:
        (holding,) = complete(client, portfolio)["holdings"]
    assert holding["market_value"] == pytest.approx(value)
    assert holding["last_price"] == pytest.approx(value / 20)
    assert holding["has_complete_history"] is False


@pytest.mark.parametrize(
    ("days", "ended", "is_complete"),
    [
        pytest.param(150, 0, True, id="just enough"),
        pytest.param(149, 0, False, id="one too few"),
        pytest.param(200, 10, True, id="paused for ten days"),
        pytest.param(200, 11, False, id="ended"),
    ],
)
def test_a_complete_history_has_150_closes_and_goes_on(
    book: OwnBook, days: int, ended: int, is_complete: bool
) -> None:
    portfolio = book.portfolio()
    book.daily_prices("OWN_NOW", 1)
    book.daily_prices("OWN_A", days, last=LAST_DAY - timedelta(days=ended))
    for symbol in ("OWN_A", "OWN_NOW"):
        book.position(portfolio, symbol, 1)
    with book.client() as client:
        found = complete(client, portfolio)
        quality = client.get(f"/api/v1/data/portfolio/{portfolio}/data-quality").json()
    assert [h["has_complete_history"] for h in found["holdings"]] == [is_complete, False]
    named = quality["position_data_quality"]["complete_history"]
    assert named == (["OWN_A"] if is_complete else [])


def test_closes_of_years_ago_complete_nothing(book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.daily_prices("OWN_A", 10)
    book.daily_prices("OWN_A", 300, last=LAST_DAY - timedelta(days=365))
    book.position(portfolio, "OWN_A", 1)
    with book.client() as client:
        (holding,) = complete(client, portfolio)["holdings"]
    assert holding["has_complete_history"] is False


def test_tags_come_in_their_owners_order_without_archived_ones(book: OwnBook) -> None:
    portfolio = book.portfolio()
    first, second = (book.position(portfolio, symbol, 1) for symbol in ("OWN_A", "OWN_B"))
    late = book.tag("A late one", first, display_order=2)
    early = book.tag("Early", first, second, display_order=1)
    book.tag("Archived", first, is_archived=True)
    with book.client() as client:
        holdings = complete(client, portfolio)["holdings"]
    assert [[tag["id"] for tag in h["tags"]] for h in holdings] == [
        [str(early), str(late)],
        [str(early)],
    ]
    assert holdings[1]["tags"] == [{"id": str(early), "name": "Early", "color": "#123456"}]


def test_a_portfolio_without_positions_is_whole_too(book: OwnBook) -> None:
    portfolio = book.portfolio(equity_balance=None)
    with book.client() as client:
        found = complete(client, portfolio)
    assert found["holdings"] == []
    assert found["positions_summary"]["total_market_value"] == 0
    assert found["portfolio"]["net_asset_value"] == 0


def test_without_recorded_equity_the_value_is_what_is_held(book: OwnBook) -> None:
    portfolio = book.portfolio(equity_balance=None)
    book.prices("OWN_A", {LAST_DAY: 25})
    book.position(portfolio, "OWN_A", -4)
    with book.client() as client:
        shown = complete(client, portfolio)["portfolio"]
    assert (shown["net_asset_value"], shown["equity_balance"]) == (-100, 0)
