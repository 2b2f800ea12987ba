"""What the analytics endpoints promise whoever asks: shapes, refusals, and a fixed number of
statements."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import TypeAdapter

from app.analytics.composition import Concentration, SectorExposure
from app.analytics.correlations import CorrelationMatrix, DiversificationScore
from app.analytics.factor_betas import FactorExposures, PositionFactorExposures
from app.analytics.portfolio_overview import Overview
from app.analytics.provider_betas import BetaComparison, BetaProvider1y
from app.analytics.realized_risk import RiskMetrics
from app.analytics.snapshot_risk import BetaCalculated90d, MarketBeta, Volatility
from app.analytics.spreads import SpreadFactors
from app.analytics.stress import StressTest
from tests.api.analytics_books import BOOKS, EMAILS, PATHS, PLAN_USERS, ask, url
from tests.api.backend import Backend

SHAPES = dict(
    zip(
        PATHS,
        (
            Overview,
            FactorExposures,
            PositionFactorExposures,
            SpreadFactors,
            CorrelationMatrix,
            DiversificationScore,
            StressTest,
            SectorExposure,
            Concentration,
            Volatility,
            BetaCalculated90d,
            BetaProvider1y,
            MarketBeta,
            BetaComparison,
            RiskMetrics,
        ),
        strict=True,
    )
)


@pytest.mark.parametrize("path", PATHS[1:])
@pytest.mark.parametrize("key", PLAN_USERS)
def test_every_endpoint_is_populated_for_the_users_of_the_plan(
    backend: Backend, key: str, path: str
) -> None:
    found = ask(backend, key, path)
    assert found["available"] is True
    assert found["portfolio_id"] == str(BOOKS[key].id)
    assert found["calculation_date"] == "2025-12-19"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", ["hedge_fund", "family_private", "starter"])
def test_answers_have_the_declared_shape(backend: Backend, key: str, path: str) -> None:
    shape: Any = SHAPES[path]
    found = ask(backend, key, path)
    assert found.keys() == shape.__annotations__.keys()
    TypeAdapter(shape).validate_python(found, strict=True)


def test_the_declared_shapes_are_the_documented_ones(anonymous: httpx.Client) -> None:
    document = anonymous.get("/openapi.json").json()
    for path, shape in SHAPES.items():
        operation = document["paths"][url("{portfolio_id}", path)]["get"]
        content = operation["responses"]["200"]["content"]["application/json"]
        assert content["schema"]["$ref"].rpartition("/")[2].endswith(shape.__name__)
        assert operation.get("deprecated", False) == (path == "risk-metrics")


@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_portfolio_is_not_found(hedge_fund: httpx.Client, path: str) -> None:
    for portfolio in (BOOKS["individual"].id, uuid4()):
        response = hedge_fund.get(url(portfolio, path))
        assert (response.status_code, response.json()) == (404, {"detail": "Portfolio not found"})


@pytest.mark.parametrize("path", PATHS)
def test_without_a_token_nobody_is_told_anything(anonymous: httpx.Client, path: str) -> None:
    response = anonymous.get(url(BOOKS["individual"].id, path))
    assert (response.status_code, response.json()) == (401, {"detail": "Not authenticated"})


@pytest.mark.parametrize("path", PATHS)
def test_an_id_that_is_none(individual: httpx.Client, path: str) -> None:
    assert individual.get(url("no-id", path)).status_code == 422


HUGE = 10**30
BAD_INPUT = [
    ("factor-exposures", "use_latest_successful", ["perhaps", HUGE]),
    ("positions/factor-exposures", "limit", [0, -1, 201, HUGE, "all", 1.5]),
    ("positions/factor-exposures", "offset", [-1, HUGE, "x"]),
    ("positions/factor-exposures", "symbols", ["\0", "AAPL,\0", "A" * 2001]),
    ("correlation-matrix", "lookback_days", [29, 366, -HUGE, HUGE, "x", "NaN"]),
    ("correlation-matrix", "min_overlap", [9, 366, HUGE, "x"]),
    ("correlation-matrix", "max_symbols", [1, 51, HUGE, "x"]),
    ("diversification-score", "lookback_days", [29, 366, HUGE, "x"]),
    ("diversification-score", "min_overlap", [9, 366, HUGE, "x"]),
    ("stress-test", "scenarios", ["\0", "a" * 2001]),
    ("risk-metrics", "lookback_days", [29, 253, HUGE, "x"]),
]


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [(path, name, value) for path, name, values in BAD_INPUT for value in values],
)
def test_bad_input_is_refused(individual: httpx.Client, path: str, name: str, value: Any) -> None:
    response = individual.get(url(BOOKS["individual"].id, path), params={name: value})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["query", name]


@pytest.mark.parametrize("path", ["correlation-matrix", "diversification-score"])
def test_an_overlap_beyond_the_lookback_is_refused(individual: httpx.Client, path: str) -> None:
    query = {"lookback_days": 60, "min_overlap": 61}
    response = individual.get(url(BOOKS["individual"].id, path), params=query)
    assert response.status_code == 400
    assert "min_overlap" in response.json()["detail"]


@pytest.mark.parametrize("symbols", ["", " , ,", "'; DROP TABLE positions; --", "\u017f", "%", "_"])
def test_odd_lists_are_lists(individual: httpx.Client, symbols: str) -> None:
    portfolio = BOOKS["individual"].id
    for path, name in (("positions/factor-exposures", "symbols"), ("stress-test", "scenarios")):
        response = individual.get(url(portfolio, path), params={name: symbols})
        assert response.status_code == 200
        assert response.json()["available"] is not any(
            entry.strip() for entry in symbols.split(",")
        )


@pytest.mark.parametrize("path", PATHS)
def test_the_number_of_statements_does_not_grow_with_the_book(backend: Backend, path: str) -> None:
    counts = {}
    for key in ("education", "hnw", "hedge_fund"):
        with backend.client(EMAILS[BOOKS[key].user_id]) as client:
            client.get(url(BOOKS[key].id, path))
            with backend.statements.counted() as sent:
                client.get(url(BOOKS[key].id, path))
        counts[key] = len(sent)
    assert len(set(counts.values())) == 1, counts
    assert counts["hnw"] <= 6, "caller, portfolio, and at most four of the figures"
