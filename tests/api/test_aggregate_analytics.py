"""Analytics over several portfolios, each number computed again from what the database holds."""

from collections.abc import Iterator
from uuid import UUID

import httpx
import numpy as np
import pandas as pd
import pytest

from tests.api.aggregate_books import EVERYBODY, Books, ask
from tests.api.backend import Backend


@pytest.fixture
def books(request: pytest.FixtureRequest, backend: Backend) -> Books:
    return Books(backend.core, request.param)


@pytest.fixture
def answers(books: Books, backend: Backend) -> Iterator[httpx.Client]:
    with backend.client(books.email) as client:
        yield client


@pytest.mark.parametrize("books", EVERYBODY, indirect=True)
def test_overview_and_breakdown_share_out_the_equity(answers: httpx.Client, books: Books) -> None:
    equities = books.equities
    total = sum(equities.values())
    overview = ask(answers, "overview")
    assert overview["net_asset_value"] == overview["total_value"] == pytest.approx(total)
    assert overview["portfolio_count"] == len(equities)
    assert [UUID(one["id"]) for one in overview["portfolios"]] == list(equities)
    for one, equity in zip(overview["portfolios"], equities.values(), strict=True):
        assert one["value"] == equity
        assert one["weight"] == pytest.approx(equity / total)
    metrics = overview["aggregate_metrics"]
    assert metrics["beta"] == pytest.approx(ask(answers, "beta")["aggregate_beta"])
    assert metrics["volatility"] == pytest.approx(
        ask(answers, "volatility")["aggregate_volatility"]
    )
    breakdown = ask(answers, "breakdown")
    assert breakdown["summary"]["total_weight"] == pytest.approx(1)
    assert breakdown["summary"]["average_value"] == pytest.approx(total / len(equities))
    for part, one in zip(breakdown["portfolios"], overview["portfolios"], strict=True):
        assert part == {
            **one,
            "weight_pct": round(one["weight"] * 100, 2),
            "contribution_dollars": one["value"],
        }


@pytest.mark.parametrize("books", EVERYBODY, indirect=True)
@pytest.mark.parametrize(
    ("route", "name", "column"),
    [
        ("beta", "beta", "coalesce(beta_calculated_90d, beta_provider_1y)"),
        ("volatility", "volatility", "realized_volatility_21d"),
    ],
)
def test_beta_and_volatility_are_weighted_by_equity(
    route: str, name: str, column: str, answers: httpx.Client, books: Books
) -> None:
    figures = books.newest(column)
    found = ask(answers, route)
    assert any(figure is not None for figure in figures.values())
    assert found[f"aggregate_{name}"] == pytest.approx(books.mean(figures))
    for part in found["portfolios"]:
        figure = figures[UUID(part["portfolio_id"])]
        assert part[name] == figure
        expected = None if figure is None else pytest.approx(figure * part["weight"])
        assert part["contribution"] == expected


@pytest.mark.parametrize("books", EVERYBODY, indirect=True)
def test_factor_exposures_are_weighted_by_equity(answers: httpx.Client, books: Books) -> None:
    rows = books.rows(
        "SELECT f.name, e.portfolio_id, e.exposure_value::float8 FROM factor_exposures e "
        "JOIN factor_definitions f ON f.id = e.factor_id WHERE e.portfolio_id = ANY(%s) "
        "AND e.calculation_date = (SELECT max(snapshot_date) FROM portfolio_snapshots)",
        list(books.equities),
    )
    expected: dict[str, dict[UUID, float | None]] = {}
    for name, portfolio, beta in rows:
        expected.setdefault(name, {})[portfolio] = beta
    found = ask(answers, "factor-exposures")
    assert len(expected) == 13
    assert found["aggregate_factors"] == {
        name: pytest.approx(books.mean(betas), abs=1e-12) for name, betas in expected.items()
    }
    assert found["factors"]["Size"].startswith("IWM")
    # The market beta is stored twice, with six and with four decimals.
    beta = ask(answers, "beta")["aggregate_beta"]
    assert found["aggregate_factors"]["Market Beta (90D)"] == pytest.approx(beta, abs=1e-4)


@pytest.mark.parametrize("books", EVERYBODY, indirect=True)
def test_concentration_counts_a_symbol_once_over_all_portfolios(
    answers: httpx.Client, books: Books
) -> None:
    holdings = books.holdings()
    gross = holdings.assign(value=holdings.value.abs()).groupby("symbol").value.sum()
    gross = gross[gross > 0].sort_values(ascending=False)
    weights = gross / gross.sum()
    data = ask(answers, "concentration")["data"]
    assert data["hhi"] == pytest.approx(10_000 * (weights**2).sum(), rel=1e-6)
    assert data["effective_num_positions"] == pytest.approx(10_000 / data["hhi"])
    assert data["top_3_concentration"] == pytest.approx(weights[:3].sum(), rel=1e-6)
    assert data["top_10_concentration"] == pytest.approx(weights[:10].sum(), rel=1e-6)
    assert (data["unique_symbols"], data["total_positions"]) == (len(gross), len(holdings))
    top = {one["symbol"]: one["value"] for one in data["top_positions"]}
    assert top == pytest.approx(gross[:10].to_dict(), abs=0.01)


@pytest.mark.parametrize("books", EVERYBODY, indirect=True)
def test_sectors_are_of_all_holdings_against_the_benchmark(
    answers: httpx.Client, books: Books
) -> None:
    renamed = {
        "Financial Services": "Financials",
        "Consumer Cyclical": "Consumer Discretionary",
        "Consumer Defensive": "Consumer Staples",
        "Basic Materials": "Materials",
    }
    holdings = books.holdings()
    sectors = holdings.sector.replace(renamed).mask(holdings.fund, "ETFs")
    sectors = sectors.mask(holdings.kind != "PUBLIC", "Unclassified")
    gross = holdings.value.abs().groupby(sectors).sum()
    expected = gross[gross > 0] / sum(books.equities.values())
    benchmark = dict(
        books.rows(
            "SELECT sector, weight::float8 FROM benchmarks_sector_weights WHERE asof_date = "
            "(SELECT max(asof_date) FROM benchmarks_sector_weights) AND benchmark_code = 'SP500'"
        )
    )
    data = ask(answers, "sector-exposure")["data"]
    assert data["portfolio_weights"] == pytest.approx(expected.to_dict(), rel=1e-6)
    assert data["benchmark_weights"] == pytest.approx(benchmark)
    excess = expected.sub(pd.Series(benchmark), fill_value=0)
    assert data["over_underweight"] == pytest.approx(excess.to_dict(), abs=1e-6)
    assert data["largest_overweight"] == excess.idxmax()
    assert data["largest_underweight"] == excess.idxmin()


@pytest.mark.parametrize("books", EVERYBODY, indirect=True)
@pytest.mark.parametrize("largest", [2, 10, 50])
def test_correlations_are_of_the_largest_listed_symbols_of_all_portfolios(
    largest: int, answers: httpx.Client, books: Books
) -> None:
    listed = books.holdings().query("kind == 'PUBLIC' and value != 0")
    gross = listed.assign(value=listed.value.abs()).groupby("symbol").value.sum()
    symbols = list(gross.sort_values(ascending=False).index[:largest])
    found = ask(answers, "correlation-matrix", max_symbols=largest)
    included = found["data"]["symbols"]
    assert included == [symbol for symbol in symbols if symbol in included]
    assert len(included) >= min(len(symbols), largest) - 1  # one may be too young
    rho = correlations(books, included)
    matrix = pd.DataFrame(found["data"]["matrix"]).loc[included, included]
    np.testing.assert_allclose(matrix, rho, atol=1e-9)
    assert (matrix == matrix.T).all(axis=None)
    pairs = np.abs(rho.to_numpy()[np.triu_indices(len(included), k=1)])
    assert found["data"]["average_correlation"] == pytest.approx(pairs.mean())
    assert found["metadata"] == {
        "calculation_date": "2025-12-19",
        "symbols_requested": largest,
        "symbols_included": len(included),
    }


def correlations(books: Books, symbols: list[str]) -> pd.DataFrame:
    """Of log returns on the dates that all symbols share, in 90 calendar days."""
    rows = books.rows(
        "SELECT date, symbol, close::float8 FROM market_data_cache WHERE symbol = ANY(%s) "
        "AND date BETWEEN date '2025-12-19' - 90 AND '2025-12-19'",
        symbols,
    )
    closes = pd.DataFrame(rows, columns=["date", "symbol", "close"])
    shared = closes.pivot(index="date", columns="symbol", values="close").sort_index().dropna()
    returns = shared.apply(np.log).diff().dropna()
    assert len(returns) >= 30
    return returns.corr().loc[symbols, symbols]


@pytest.mark.parametrize("books", EVERYBODY, indirect=True)
def test_stress_impacts_add_up(answers: httpx.Client, books: Books) -> None:
    rows = books.rows(
        "SELECT s.scenario_id, r.portfolio_id, r.correlated_pnl::float8 "
        "FROM stress_test_results r JOIN stress_test_scenarios s ON s.id = r.scenario_id "
        "WHERE r.portfolio_id = ANY(%s) AND r.calculation_date = '2025-12-19'",
        list(books.equities),
    )
    expected = pd.DataFrame(rows, columns=["id", "portfolio", "pnl"]).groupby("id")
    total = sum(books.equities.values())
    found = ask(answers, "stress-test")
    scenarios = found["data"]["scenarios"]
    assert [(one["category"], one["name"]) for one in scenarios] == sorted(
        (one["category"], one["name"]) for one in scenarios
    )
    assert {one["id"]: one["impact"]["dollar_impact"] for one in scenarios} == pytest.approx(
        expected.pnl.sum().to_dict(), abs=0.005
    )
    for one in scenarios:
        impact = one["impact"]
        assert impact["percentage_impact"] == pytest.approx(impact["dollar_impact"] / total * 100)
        assert impact["new_portfolio_value"] == pytest.approx(total + impact["dollar_impact"])
        assert one["portfolios_included"] == expected.portfolio.nunique()[one["id"]]
    assert found["data"]["portfolio_value"] == pytest.approx(total)
    assert found["portfolios_with_stress_data"] == len({portfolio for _, portfolio, _ in rows})
