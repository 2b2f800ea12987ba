"""Histories, quotes, factor ETFs and profiles."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from ops.connection import connect
from ops.plan_figures import LAST_DAY
from tests.api.backend import Backend
from tests.api.data_requests import only_portfolio
from tests.api.own_book import OwnBook, own_book

FACTORS = {
    "Market Beta": "SPY",
    "Value": "VTV",
    "Growth": "VUG",
    "Momentum": "MTUM",
    "Quality": "QUAL",
    "Size": "IWM",
    "Low Volatility": "USMV",
}
NAN = float("nan")


@pytest.fixture
def book(backend: Backend) -> Iterator[OwnBook]:
    with own_book(backend) as made:
        yield made


def get(client: httpx.Client, path: str, **query: Any) -> Any:
    response = client.get(f"/api/v1/data/{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_history_is_every_usable_day_of_the_window(
    individual: httpx.Client, backend: Backend
) -> None:
    portfolio_id = only_portfolio(individual)
    found = get(individual, f"prices/historical/{portfolio_id}", lookback_days=60)
    start = LAST_DAY - timedelta(days=60)
    with connect(backend.core, application_name="tests") as core:
        rows = core.execute(
            "SELECT symbol, date, open, high, low, close, volume FROM market_data_cache "
            "WHERE date >= %s AND (symbol = ANY(%s) OR symbol IN "
            "(SELECT symbol FROM positions WHERE portfolio_id = %s)) "
            "AND close > 0 AND close <> 'NaN' ORDER BY symbol, date",
            [start, list(FACTORS.values()), portfolio_id],
        ).fetchall()
    expected: dict[str, dict[str, list[Any]]] = {}
    for symbol, day, *values in rows:
        columns = expected.setdefault(symbol, {"dates": []})
        columns["dates"].append(day.isoformat())
        for name, value in zip(("open", "high", "low", "close", "volume"), values, strict=True):
            columns.setdefault(name, []).append(float(value))
    assert found["symbols"].keys() == expected.keys()
    for symbol, columns in expected.items():
        shown = found["symbols"][symbol]
        assert {name: shown[name] for name in columns} == columns
        assert shown["adjusted_close"] == shown["close"]
        assert shown["data_points"] == len(shown["close"])
    assert found["metadata"] == {
        "lookback_days": 60,
        "start_date": start.isoformat(),
        "end_date": LAST_DAY.isoformat(),
        "trading_days_included": len({row[1] for row in rows}),
    }


def test_a_history_can_speak_unix_and_leave_the_etfs_out(individual: httpx.Client) -> None:
    path = f"prices/historical/{only_portfolio(individual)}"
    iso = get(individual, path, lookback_days=10, include_factor_etfs=False)
    unix = get(individual, path, lookback_days=10, include_factor_etfs=False, date_format="unix")
    assert "USMV" not in iso["symbols"]
    for symbol, columns in iso["symbols"].items():
        days = [datetime.fromtimestamp(n, UTC).date() for n in unix["symbols"][symbol]["dates"]]
        assert [day.isoformat() for day in days] == columns["dates"]


def test_rows_that_are_no_prices_are_left_out_of_a_history(book: OwnBook) -> None:
    portfolio = book.portfolio()
    days = [LAST_DAY - timedelta(days=n) for n in range(4)]
    book.prices("OWN_A", {days[0]: 9, days[1]: NAN, days[2]: 0}, open=NAN, high=0, volume=None)
    book.prices("OWN_A", {days[3]: 8}, open=7, high=10, low=6, volume=5)
    book.position(portfolio, "OWN_A", 1)
    book.position(portfolio, "OWN_P", 1, investment_class="PRIVATE")
    with book.client() as client:
        found = get(client, f"prices/historical/{portfolio}", include_factor_etfs=False)
    assert set(found["symbols"]) == {"OWN_A"}
    shown = found["symbols"]["OWN_A"]
    assert shown["dates"] == [days[3].isoformat(), days[0].isoformat()]
    assert [shown[name] for name in ("open", "high", "low", "close", "volume")] == [
        [7, 9],
        [10, 9],
        [6, 9],
        [8, 9],
        [5, 0],
    ]


def test_a_history_of_nothing_is_empty(book: OwnBook) -> None:
    with book.client() as client:
        path = f"prices/historical/{book.portfolio()}"
        found = get(client, path, include_factor_etfs=False)
        with_etfs = get(client, path)
    assert found["symbols"] == {}
    assert found["metadata"]["end_date"] is None
    assert set(with_etfs["symbols"]) == set(FACTORS.values())


def test_quotes_are_last_closes_and_their_changes(
    individual: httpx.Client, backend: Backend
) -> None:
    with connect(backend.core, application_name="tests") as core:
        rows = core.execute(
            "SELECT close, high, low, volume FROM market_data_cache WHERE symbol = 'SPY' "
            "ORDER BY date DESC LIMIT 2"
        ).fetchall()
    found = get(individual, "prices/quotes", symbols=" spy,NOPE, SPY,aapl,")
    assert found["metadata"]["requested_symbols"] == ["SPY", "NOPE", "AAPL"]
    assert (found["metadata"]["successful_quotes"], found["metadata"]["failed_quotes"]) == (2, 1)
    quote = found["quotes"][0]
    (close, high, low, volume), (before, *_) = rows
    assert [q["symbol"] for q in found["quotes"]] == ["SPY", "AAPL"]
    assert (quote["last_price"], quote["day_high"], quote["day_low"], quote["volume"]) == (
        float(close),
        float(high),
        float(low),
        volume,
    )
    assert quote["day_change"] == pytest.approx(float(close - before), abs=5e-5)
    percent = 100 * float(close / before - 1)
    assert quote["day_change_percent"] == pytest.approx(percent, abs=5e-5)
    assert quote["timestamp"] == "2025-12-19T21:00:00Z"
    assert all(quote[name] is None for name in ("bid", "ask", "bid_size", "ask_size"))


def test_a_quote_passes_over_what_is_no_price(book: OwnBook) -> None:
    book.prices("OWN_A", {LAST_DAY: NAN, date(2025, 7, 1): 4}, high=NAN)
    with book.client() as client:
        (quote,) = get(client, "prices/quotes", symbols="OWN_A")["quotes"]
    assert (quote["last_price"], quote["day_change"], quote["day_high"]) == (4, 0, 4)
    assert quote["timestamp"] == "2025-07-01T20:00:00Z"


def test_every_factor_has_its_etf(individual: httpx.Client, backend: Backend) -> None:
    found = get(individual, "factors/etf-prices", lookback_days=30)
    assert {e["factor_name"]: e["symbol"] for e in found["data"].values()} == FACTORS
    assert (found["metadata"]["etf_count"], found["metadata"]["factor_model"]) == (7, "7-factor")
    with connect(backend.core, application_name="tests") as core:
        rows = core.execute(
            "SELECT date, close FROM market_data_cache WHERE symbol = 'IWM' AND date >= %s "
            "ORDER BY date",
            [LAST_DAY - timedelta(days=30)],
        ).fetchall()
    shown = found["data"]["IWM"]
    assert (shown["date"], shown["current_price"]) == (LAST_DAY.isoformat(), float(rows[-1][1]))
    assert shown["lookback_start"] == rows[0][0].isoformat()
    change = float(rows[-1][1] / rows[0][1] - 1)
    assert shown["lookback_return"] == pytest.approx(change, abs=5e-7)


@pytest.mark.parametrize(
    ("factors", "etfs"),
    [("Value,size", ["VTV", "IWM"]), ("SPY", ["SPY"]), ("Nothing", [])],
)
def test_factors_are_chosen_by_name_or_etf(
    individual: httpx.Client, factors: str, etfs: list[str]
) -> None:
    found = get(individual, "factors/etf-prices", factors=factors)
    assert list(found["data"]) == etfs


def test_profiles_of_symbols_are_everybodys(individual: httpx.Client, backend: Backend) -> None:
    found = get(individual, "company-profiles", symbols="nvda, AAPL,NOPE")
    with connect(backend.core, application_name="tests") as core:
        row = core.execute(
            "SELECT company_name, sector, beta, (SELECT count(*) FROM information_schema.columns "
            "WHERE table_name = 'company_profiles') FROM company_profiles WHERE symbol = 'NVDA'"
        ).fetchone()
    assert row is not None
    apple, nvidia = found["profiles"]
    assert (apple["symbol"], nvidia["symbol"]) == ("AAPL", "NVDA")
    assert (nvidia["company_name"], nvidia["sector"], nvidia["beta"], len(nvidia)) == (
        row[0],
        row[1],
        float(row[2]),
        row[3],
    )
    meta = found["meta"]
    assert (meta["query_type"], meta["returned_profiles"]) == ("symbols", 2)
    assert meta["requested_symbols"] == ["NVDA", "AAPL", "NOPE"]
    assert meta["missing_profiles"] == ["NOPE"]


def test_profiles_of_a_portfolio_and_of_positions(hedge_fund: httpx.Client) -> None:
    portfolio_id = only_portfolio(hedge_fund)
    positions = get(hedge_fund, "positions/details", portfolio_id=portfolio_id)["positions"]
    of_all = get(hedge_fund, "company-profiles", portfolio_id=portfolio_id, fields="sector")
    assert of_all["meta"]["requested_symbols"] == sorted({p["symbol"] for p in positions})
    assert of_all["meta"]["portfolio_id"] == portfolio_id
    assert of_all["meta"]["fields_requested"] == ["symbol", "sector"]
    assert {p["symbol"]: p["sector"] for p in of_all["profiles"]} == {
        p["symbol"]: p["sector"] for p in positions if p["company_name"]
    }
    ids = [positions[3]["id"], positions[0]["id"]]
    of_two = get(hedge_fund, "company-profiles", position_ids=",".join(ids))
    symbols = [positions[3]["symbol"], positions[0]["symbol"]]
    assert of_two["meta"]["position_ids"] == ids
    assert of_two["meta"]["position_symbol_map"] == dict(zip(ids, symbols, strict=True))
    assert of_two["meta"]["requested_symbols"] == symbols


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({}, "Give exactly one of symbols, position_ids or portfolio_id"),
        (
            {"symbols": "AAPL", "portfolio_id": "00000000-0000-0000-0000-000000000000"},
            "Give exactly one of symbols, position_ids or portfolio_id",
        ),
        ({"symbols": "AAPL", "fields": "sector,wealth"}, "Invalid field names: wealth"),
    ],
)
def test_profiles_refuse_what_makes_no_sense(
    individual: httpx.Client, query: dict[str, str], refusal: str
) -> None:
    response = individual.get("/api/v1/data/company-profiles", params=query)
    assert (response.status_code, response.json()) == (400, {"detail": refusal})


@pytest.mark.parametrize(
    "path",
    [
        "prices/quotes?symbols=SPY",
        "factors/etf-prices",
        "company-profiles?symbols=SPY",
        "positions/details",
    ],
)
def test_prices_need_a_token(anonymous: httpx.Client, path: str) -> None:
    assert anonymous.get(f"/api/v1/data/{path}").status_code == 401
