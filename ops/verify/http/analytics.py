"""Whether every analytics endpoint of every demo portfolio shows what the batch left."""

import asyncio
from collections.abc import Mapping

from ops.verify.http.exchange import Exchange
from ops.verify.http.facts import Book, Portfolio, Stored, read_book, read_stored
from ops.verify.http.faults import Faults
from ops.verify.http.json_values import Json
from ops.verify.http.visit import Visit
from ops.verify.report import Finding
from ops.verify.subject import Subject

# Endpoint → what must be filled where it is available. None: its contract has moved about.
ENDPOINTS: Mapping[str, str | None] = {
    "overview": "exposures.gross_exposure",
    "factor-exposures": "factors",
    "positions/factor-exposures": "positions",
    "spread-factors": "factors",
    "correlation-matrix": "data.matrix",
    "diversification-score": "portfolio_correlation",
    "stress-test": "data.scenarios",
    "sector-exposure": "data.portfolio_weights",
    "concentration": "data.hhi",
    "volatility": "data.realized_volatility_21d",
    "beta-calculated-90d": "data.beta_calculated_90d",
    "beta-provider-1y": "data.beta_provider_1y",
    "market-beta": None,
    "beta-comparison": "positions",
    "risk-metrics": "risk_metrics",
}
_DEPRECATED = frozenset({"risk-metrics"})


def analytics_populated(subject: Subject, visit: Visit) -> Finding:
    """Each endpoint answers, is available and filled where the database holds the rows that it
    shows, and its main figure is the stored one."""
    tokens = visit.tokens()
    book = read_book(subject, tokens)
    stored, faults, deprecated = read_stored(subject, book), Faults(), Faults()
    visit.ask(lambda http: _ask_all(http, tokens, book, stored, faults, deprecated))
    asked = len(book.portfolios) * len(ENDPOINTS)
    available = sum(sum(each.available.values()) for each in stored.values())
    note = "; risk-metrics, deprecated, is absent" if deprecated.absent else ""
    faults.lines += [line for line in deprecated.lines if not deprecated.absent]
    faults.unless(available > 0, "the database holds nothing that could be shown; run the backfill")
    return faults.finding(
        f"{asked} answers of {len(book.portfolios)} portfolios, {available} populated as the "
        f"database is{note}",
        answers=asked,
        available=available,
    )


async def _ask_all(
    http: Exchange,
    tokens: Mapping[str, str],
    book: Book,
    stored: Mapping[str, Stored],
    faults: Faults,
    deprecated: Faults,
) -> None:
    await asyncio.gather(
        *(
            _compare(
                http,
                tokens[portfolio.email],
                portfolio,
                endpoint,
                stored[portfolio.id],
                deprecated if endpoint in _DEPRECATED else faults,
            )
            for portfolio in book.portfolios
            for endpoint in ENDPOINTS
        )
    )


async def _compare(
    http: Exchange,
    token: str,
    portfolio: Portfolio,
    endpoint: str,
    stored: Stored,
    faults: Faults,
) -> None:
    with faults.of(portfolio.name):
        path = f"/api/v1/analytics/portfolio/{portfolio.id}/{endpoint}"
        found = (await http.get(path, token)).json()
        where = f"{portfolio.name} {endpoint}"
        if stored.available.get(endpoint):
            _compare_filled(found, endpoint, where, stored, faults)
        else:
            _ = found["portfolio_id"]


def _compare_filled(found: Json, endpoint: str, where: str, stored: Stored, faults: Faults) -> None:
    shape = found.value if isinstance(found.value, dict) else {}
    if shape.get("available", True) is not True:
        faults.add(f"{where} is not available although the database holds its rows")
        return
    filled = ENDPOINTS[endpoint]
    faults.unless(filled is None or found[filled].is_filled(), f"{where}: {filled} is empty")
    for (of, path), value in stored.figures.items():
        if of == endpoint:
            _compare_figure(found[path], f"{where} {path}", value, faults)


def _compare_figure(found: Json, where: str, expected: float, faults: Faults) -> None:
    if abs(expected) >= 1000:  # dollars, each holding rounded by itself
        faults.compare(where, found.number(), expected, 100)
    elif abs(found.number() - expected) > 1e-4:
        faults.add(f"{where}: {found.number():.6f} instead of {expected:.6f}")
