"""Whether the figures over all portfolios of a user are there, and their sum is the database's."""

import asyncio
from collections.abc import Mapping

from ops.verify.http.exchange import Exchange
from ops.verify.http.facts import Book, read_book
from ops.verify.http.faults import Faults
from ops.verify.http.visit import Visit
from ops.verify.report import Finding, skipped
from ops.verify.subject import Subject

ENDPOINTS = (
    "overview",
    "breakdown",
    "beta",
    "volatility",
    "factor-exposures",
    "sector-exposure",
    "concentration",
    "correlation-matrix",
    "stress-test",
)


def aggregate_analytics(subject: Subject, visit: Visit) -> Finding:
    """Each of the nine endpoints answers each demo user with something in it."""
    tokens = visit.tokens()
    book, faults = read_book(subject, tokens), Faults()
    visit.ask(lambda http: _ask_all(http, tokens, book, faults))
    asked = len(tokens) * len(ENDPOINTS)
    if len(faults.absent) == asked:
        return skipped("this backend has no aggregate analytics")
    return faults.finding(f"{asked} answers to {len(tokens)} users", answers=asked)


async def _ask_all(http: Exchange, tokens: Mapping[str, str], book: Book, faults: Faults) -> None:
    await asyncio.gather(
        *(
            _compare(http, email, token, endpoint, book, faults)
            for email, token in tokens.items()
            for endpoint in ENDPOINTS
        )
    )


async def _compare(
    http: Exchange, email: str, token: str, endpoint: str, book: Book, faults: Faults
) -> None:
    with faults.of(email):
        found = (await http.get(f"/api/v1/analytics/aggregate/{endpoint}", token)).json()
        if endpoint == "overview":
            equity = sum(each.equity or 0.0 for each in book.of(email) if each.is_active)
            faults.compare(f"{email} net_asset_value", found["net_asset_value"].number(), equity)
        faults.unless(
            isinstance(found.value, dict) and found.is_filled(), f"{email} {endpoint} is empty"
        )
