"""The demo's portfolios by key: what their analytics answer, and what the database says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from ops.connection import connect
from ops.demo.book import demo_book
from ops.plan_figures import LAST_DAY
from tests.api.backend import Backend, authorization

PLAN_USERS = ("individual", "hnw", "hedge_fund")
BOOKS = demo_book().portfolios
EMAILS = {user.id: user.email for user in demo_book().users}

PATHS = (
    "overview",
    "factor-exposures",
    "positions/factor-exposures",
    "spread-factors",
    "correlation-matrix",
    "diversification-score",
    "stress-test",
    "sector-exposure",
    "concentration",
    "volatility",
    "beta-calculated-90d",
    "beta-provider-1y",
    "market-beta",
    "beta-comparison",
    "risk-metrics",
)

_HELD = """
    SELECT p.id, p.symbol, p.position_type::text, p.investment_class, p.quantity::float8,
        p.entry_price::float8, p.market_value::float8, m.close::float8
    FROM positions p
    LEFT JOIN LATERAL (
        SELECT close FROM market_data_cache
        WHERE symbol = p.symbol AND close > 0 ORDER BY date DESC LIMIT 1
    ) m ON true
    WHERE p.portfolio_id = %s AND (p.expiration_date IS NULL OR p.expiration_date >= %s)
    ORDER BY p.symbol, p.id
"""


@dataclass(frozen=True)
class Held:
    """An open position of the demo, valued from its row and its last close alone."""

    id: UUID
    symbol: str
    position_type: str
    investment_class: str
    value: float
    cost: float


def url(portfolio_id: UUID | str, path: str) -> str:
    return f"/api/v1/analytics/portfolio/{portfolio_id}/{path}"


def ask(backend: Backend, key: str, path: str, **query: Any) -> dict[str, Any]:
    """What the owner of a demo portfolio is told."""
    book = BOOKS[key]
    return ask_for(backend, EMAILS[book.user_id], book.user_id, book.id, path, query)


def ask_for(
    backend: Backend, email: str, user_id: UUID, portfolio: UUID, path: str, query: Any
) -> dict[str, Any]:
    """What a user is told of a portfolio. Loading certificates would take a tenth of a second."""
    headers = authorization(email, user_id)
    response = httpx.get(
        backend.url + url(portfolio, path), params=query, headers=headers, timeout=30
    )
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def rows(backend: Backend, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
    with connect(backend.core, application_name="tests") as core:
        return core.execute(query, parameters).fetchall()


def equity(backend: Backend, key: str) -> float:
    """Of the last snapshot."""
    query = "SELECT total_value::float8 FROM portfolio_snapshots WHERE portfolio_id = %s "
    query += "ORDER BY snapshot_date DESC LIMIT 1"
    return float(rows(backend, query, [BOOKS[key].id])[0][0])


def held(backend: Backend, key: str) -> list[Held]:
    """Nothing of the demo was ever sold; options are gone after they expire."""
    found = []
    for one in rows(backend, _HELD, [BOOKS[key].id, LAST_DAY]):
        position, symbol, kind, investment_class, quantity, entry, book_value, close = one
        units = quantity * (100 if kind in {"LC", "LP", "SC", "SP"} else 1)
        value = units * close if close is not None else 0.0
        if investment_class == "PRIVATE":
            value = book_value if book_value and book_value > 0 else units * entry
        cost = units * entry if value else 0.0
        found.append(Held(position, symbol, kind, investment_class, value, cost))
    return found


def gross(backend: Backend, key: str) -> dict[str, float]:
    """Gross dollars by symbol, of what has a value."""
    found: dict[str, float] = {}
    for one in held(backend, key):
        if one.value:
            found[one.symbol] = found.get(one.symbol, 0.0) + abs(one.value)
    return found
