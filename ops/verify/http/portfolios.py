"""Whether the backend shows each portfolio as the database has it, to the cent."""

import asyncio
from collections.abc import Mapping

from ops.verify.http.exchange import Exchange
from ops.verify.http.facts import Book, Portfolio, read_book
from ops.verify.http.faults import Faults
from ops.verify.http.json_values import Json
from ops.verify.http.visit import Visit
from ops.verify.report import Finding
from ops.verify.subject import Subject

_LIST = "/api/v1/data/portfolios"
_OPTIONS = ("LC", "LP", "SC", "SP")


def portfolios_complete(subject: Subject, visit: Visit) -> Finding:
    """Every live portfolio of every demo user is listed and complete: its holdings one by one, its
    counts and sums, and its equity, each against the database; long and short also against the
    newest snapshot while that is still of what is held."""
    tokens = visit.tokens()
    book = read_book(subject, tokens)
    faults = Faults()
    visit.ask(lambda http: _ask_all(http, tokens, book, faults))
    held = sum(len(book.holdings[portfolio.id]) for portfolio in book.portfolios)
    current = sum(portfolio.is_current for portfolio in book.portfolios)
    if not book.portfolios:
        faults.add("the database holds no portfolio of theirs")
    return faults.finding(
        f"{len(book.portfolios)} portfolios of {len(tokens)} users, {held} holdings reconciled, "
        f"{current} also with their newest snapshot",
        portfolios=len(book.portfolios),
        holdings=held,
        snapshots=current,
    )


async def _ask_all(http: Exchange, tokens: Mapping[str, str], book: Book, faults: Faults) -> None:
    listed = [_compare_list(http, email, token, book, faults) for email, token in tokens.items()]
    complete = [_compare(http, tokens[p.email], p, book, faults) for p in book.portfolios]
    await asyncio.gather(*listed, *complete)


async def _compare_list(http: Exchange, email: str, token: str, book: Book, faults: Faults) -> None:
    with faults.of(email):
        shown = {each["id"].text() for each in (await http.get(_LIST, token)).json().items()}
        expected = {portfolio.id for portfolio in book.of(email)}
        faults.unless(
            shown == expected,
            f"{email}: {len(expected - shown)} portfolios not listed, "
            f"{len(shown - expected)} too many",
        )


async def _compare(
    http: Exchange, token: str, portfolio: Portfolio, book: Book, faults: Faults
) -> None:
    with faults.of(portfolio.name):
        path = f"/api/v1/data/portfolio/{portfolio.id}/complete"
        found = (await http.get(path, token)).json()
        _compare_totals(found, portfolio, book, faults)
        _compare_holdings(found, portfolio, book, faults)


def _compare_totals(found: Json, portfolio: Portfolio, book: Book, faults: Faults) -> None:
    held = book.holdings[portfolio.id]
    types = [each.position_type for each in held]
    net = book.long_value(portfolio.id) + book.short_value(portfolio.id)
    equity = portfolio.equity or 0.0
    expected = {
        "portfolio.equity_balance": equity,
        "portfolio.net_asset_value": net if portfolio.equity is None else equity,
        "portfolio.position_count": len(held),
        "positions_summary.long_count": types.count("LONG"),
        "positions_summary.short_count": types.count("SHORT"),
        "positions_summary.option_count": sum(types.count(each) for each in _OPTIONS),
        "positions_summary.total_market_value": net,
    }
    cents = max(1, len(held))
    for path, value in expected.items():
        faults.compare(f"{portfolio.name} {path}", found[path].number(), value, cents)


def _compare_holdings(found: Json, portfolio: Portfolio, book: Book, faults: Faults) -> None:
    values = {h["id"].text(): h["market_value"].number() for h in found["holdings"].items()}
    held = {each.id: each for each in book.holdings[portfolio.id]}
    faults.unless(
        values.keys() == held.keys(),
        f"{portfolio.name}: {len(held.keys() - values.keys())} holdings missing, "
        f"{len(values.keys() - held.keys())} too many",
    )
    for id_, value in values.items():
        if id_ in held:
            name = f"{portfolio.name} {held[id_].symbol}"
            faults.compare(name, value, held[id_].value or 0.0)
    if portfolio.is_current:
        cents = len(held) + 1
        for name, side, stored in (
            ("long", sum(max(0.0, value) for value in values.values()), portfolio.long_value),
            ("short", sum(min(0.0, value) for value in values.values()), portfolio.short_value),
        ):
            faults.compare(f"{portfolio.name} {name} value", side, stored or 0.0, cents)
