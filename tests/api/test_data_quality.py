"""What is said of a portfolio's data, and of its newest snapshot."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from psycopg.rows import dict_row

from ops.connection import connect
from ops.plan_figures import LAST_DAY
from tests.api.backend import Backend
from tests.api.conftest import HNW
from tests.api.own_book import OwnBook, own_book


@pytest.fixture
def book(backend: Backend) -> Iterator[OwnBook]:
    with own_book(backend) as made:
        yield made


def of_portfolio(client: httpx.Client, portfolio_id: UUID | str, what: str, **query: Any) -> Any:
    response = client.get(f"/api/v1/data/portfolio/{portfolio_id}/{what}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_positions_are_sorted_by_how_much_history_they_have(book: OwnBook) -> None:
    portfolio = book.portfolio()
    for symbol, days, ended in (
        ("OWN_FULL", 200, 0),
        ("OWN_PART", 64, 0),
        ("OWN_LESS", 61, 0),
        ("OWN_NEW", 29, 0),
        ("OWN_GONE", 200, 11),
    ):
        book.daily_prices(symbol, days, last=LAST_DAY - timedelta(days=ended))
        book.position(portfolio, symbol, 1)
    book.position(portfolio, "OWN_FULL", 1)  # a second lot
    book.position(portfolio, "OWN_NONE", 1)
    book.position(portfolio, "OWN_FUND", 1, investment_class="PRIVATE")
    with book.client() as client:
        found = of_portfolio(client, portfolio, "data-quality")
    assert found["position_data_quality"] == {
        "complete_history": ["OWN_FULL"],
        "partial_history": [
            {"symbol": "OWN_LESS", "days_available": 61, "days_missing": 89},
            {"symbol": "OWN_PART", "days_available": 64, "days_missing": 86},
        ],
        "insufficient_data": [
            {"symbol": "OWN_FUND", "days_available": 0, "reason": "no_prices"},
            {"symbol": "OWN_GONE", "days_available": 200, "reason": "prices_ended"},
            {"symbol": "OWN_NEW", "days_available": 29, "reason": "recent_listing"},
            {"symbol": "OWN_NONE", "days_available": 0, "reason": "no_prices"},
        ],
    }
    assert found["summary"] == {
        "total_positions": 8,
        "complete_data": 2,
        "partial_data": 2,
        "insufficient_data": 4,
        "data_coverage_percent": 25,
    }
    feasible = found["calculation_feasibility"]
    # 61 closes are 60 returns, 64 are 63; 29 are too few even for a correlation.
    assert {name: f["positions_eligible"] for name, f in feasible.items()} == {
        "correlation_matrix": 4,
        "factor_regression": 4,
        "volatility_analysis": 3,
    }
    assert all(f["feasible"] for f in feasible.values())
    assert feasible["factor_regression"]["positions_excluded"] == 4
    assert found["assessment_date"] == LAST_DAY.isoformat()


def test_one_position_correlates_with_nothing(book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.daily_prices("OWN_A", 200)
    book.position(portfolio, "OWN_A", 1)
    with book.client() as client:
        found = of_portfolio(client, portfolio, "data-quality")
    feasible = {name: f["feasible"] for name, f in found["calculation_feasibility"].items()}
    assert feasible == {
        "correlation_matrix": False,
        "factor_regression": True,
        "volatility_analysis": True,
    }


def test_the_flags_leave_sections_out(individual: httpx.Client) -> None:
    (listed,) = individual.get("/api/v1/data/portfolios").json()
    found = of_portfolio(individual, listed["id"], "data-quality")
    assert found["factor_etf_coverage"] == {
        "complete": ["SPY", "VTV", "VUG", "MTUM", "QUAL", "IWM", "USMV"],
        "partial": [],
        "missing": [],
    }
    assert found["summary"]["data_coverage_percent"] == 100
    less = of_portfolio(
        individual, listed["id"], "data-quality", check_factors=False, check_correlations=False
    )
    assert "factor_etf_coverage" not in less
    assert "correlation_matrix" not in less["calculation_feasibility"]


def test_private_assets_and_listed_ones_are_told_apart(backend: Backend) -> None:
    with backend.client(HNW) as client:
        (listed,) = client.get("/api/v1/data/portfolios").json()
        quality = of_portfolio(client, listed["id"], "data-quality")
        whole = of_portfolio(client, listed["id"], "complete")
    assert quality["summary"]["complete_data"] == 19
    assert quality["summary"]["insufficient_data"] == 11
    assert whole["data_quality"]["complete_data_positions"] == 19
    assert whole["data_quality"]["partial_data_positions"] == 11


def test_an_empty_portfolio_has_no_quality(book: OwnBook) -> None:
    with book.client() as client:
        found = of_portfolio(client, book.portfolio(), "data-quality")
    assert found["summary"]["total_positions"] == 0
    assert found["summary"]["data_coverage_percent"] == 0
    assert not any(f["feasible"] for f in found["calculation_feasibility"].values())


def test_the_snapshot_is_the_newest_one(hedge_fund: httpx.Client, backend: Backend) -> None:
    (listed,) = hedge_fund.get("/api/v1/data/portfolios").json()
    with connect(backend.core, application_name="tests") as core:
        row = (
            core.cursor(row_factory=dict_row)
            .execute(
                "SELECT * FROM portfolio_snapshots WHERE portfolio_id = %s AND snapshot_date = %s",
                [listed["id"], LAST_DAY],
            )
            .fetchone()
        )
    assert row is not None
    found = of_portfolio(hedge_fund, listed["id"], "snapshot")
    assert found["snapshot_date"] == LAST_DAY.isoformat()
    for name in ("beta_calculated_90d", "beta_provider_1y", "daily_pnl", "daily_return"):
        assert found[name] == float(row[name])


_TARGETS = {
    "target_price_return_eoy": 12.5,
    "target_price_return_next_year": -3.25,
    "target_price_coverage_pct": 80.0,
    "target_price_positions_count": 4,
    "target_price_total_positions": 5,
}


def test_the_snapshot_shows_targets_and_zeros_where_there_are_none(book: OwnBook) -> None:
    portfolio = book.portfolio()
    nothing = {"snapshot_date": None, "target_price_last_updated": None}
    with book.client() as client:
        empty = of_portfolio(client, portfolio, "snapshot")
        assert empty == {
            "portfolio_id": str(portfolio),
            **nothing,
            **dict.fromkeys(_TARGETS, 0),
            "beta_calculated_90d": None,
            "beta_provider_1y": None,
            "daily_pnl": None,
            "daily_return": None,
        }
        book.snapshot(portfolio, LAST_DAY - timedelta(days=1), 1, daily_pnl=7)
        updated = datetime(2025, 12, 1, 8, 30, tzinfo=UTC)
        book.snapshot(
            portfolio, LAST_DAY, 1, daily_pnl=-2.5, target_price_last_updated=updated, **_TARGETS
        )
        full = of_portfolio(client, portfolio, "snapshot")
    assert full == {
        **empty,
        **_TARGETS,
        "snapshot_date": LAST_DAY.isoformat(),
        "target_price_last_updated": "2025-12-01T08:30:00Z",
        "daily_pnl": -2.5,
    }
