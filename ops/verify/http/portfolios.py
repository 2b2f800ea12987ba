"""Whether the backend shows each portfolio as the database has it, to the cent and to the day."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

from app.data.complete import CompleteHolding, PortfolioComplete
from app.data.portfolios import ListedPortfolio
from app.data.snapshot import LatestSnapshot
from ops.verify.http.facts import Book, Portfolio, read_book
from ops.verify.http.visit import Question, Visit, differing
from ops.verify.report import Verdict
from ops.verify.subject import Subject

LIST = "/api/v1/data/portfolios"
COMPLETE = "/api/v1/data/portfolio/{}/complete"
_SNAPSHOT = "/api/v1/data/portfolio/{}/snapshot"
_OPTIONS = ("LC", "LP", "SC", "SP")


def portfolios_complete(subject: Subject, visit: Visit) -> Verdict:
    """Every live portfolio of every probe account is listed and complete: its holdings one by one,
    its counts and sums, and its equity, each against the database; long and short also against
    the newest snapshot while that is still of what is held."""
    tokens = visit.tokens()
    book = read_book(subject, tokens)
    faults = visit.put(
        [
            Question(email, token, LIST, list[ListedPortfolio], partial(_judge_list, book, email))
            for email, token in tokens.items()
        ]
        + [
            Question(
                each.name,
                tokens[each.email],
                COMPLETE.format(each.id),
                PortfolioComplete,
                partial(_judge_complete, book, each),
            )
            for each in book.portfolios
        ]
    )
    held = sum(len(book.holdings[portfolio.id]) for portfolio in book.portfolios)
    current = sum(portfolio.is_current for portfolio in book.portfolios)
    if not book.portfolios:
        faults.lines.append("the database holds no portfolio of theirs")
    return faults.finding(
        f"{len(book.portfolios)} portfolios of {len(tokens)} users, {held} holdings reconciled, "
        f"{current} also with their newest snapshot",
        portfolios=len(book.portfolios),
        holdings=held,
        snapshots=current,
    )


def batch_day(subject: Subject, visit: Visit) -> Verdict:
    """The newest day of batch_run_tracking succeeded, every live portfolio has its snapshot, and
    that is the day which each of their portfolios shows."""
    tokens = visit.tokens()
    day, unsuccessful, live, done = subject.row("http/batch_day") or (None, False, 0, 0)
    active = [each for each in read_book(subject, tokens).portfolios if each.is_active]
    faults = visit.put(
        Question(
            each.name,
            tokens[each.email],
            _SNAPSHOT.format(each.id),
            LatestSnapshot,
            partial(_judge_day, day),
        )
        for each in active
    )
    wrong = {
        "no batch day is recorded; run the backfill": day is None,
        f"the batch of {day} did not succeed": unsuccessful,
        f"{done} of {live} portfolios done": done != live,
    }
    faults.lines[:0] = [line for line, holds in wrong.items() if holds]
    return faults.finding(
        f"{day}: {done} of {live} portfolios done, {len(active)} shown with that day",
        day=str(day),
        done=done,
        live=live,
    )


def _judge_day(day: date | None, found: LatestSnapshot) -> Iterator[str]:
    if found["snapshot_date"] != str(day):
        yield f"shows {found['snapshot_date']}, not {day}"


def _judge_list(book: Book, email: str, found: Sequence[ListedPortfolio]) -> Iterator[str]:
    shown = {each["id"] for each in found}
    expected = {portfolio.id for portfolio in book.of(email)}
    if shown != expected:
        yield (f"{len(expected - shown)} portfolios not listed, {len(shown - expected)} too many")


def _judge_complete(book: Book, portfolio: Portfolio, found: PortfolioComplete) -> Iterator[str]:
    held = book.holdings[portfolio.id]
    types = [each.position_type for each in held]
    net = book.long_value(portfolio.id) + book.short_value(portfolio.id)
    equity = portfolio.equity or 0.0
    totals, counts, cents = found["portfolio"], found["positions_summary"], max(1, len(held))
    for name, shown, expected in (
        ("equity_balance", totals["equity_balance"], equity),
        ("net_asset_value", totals["net_asset_value"], net if portfolio.equity is None else equity),
        ("position_count", totals["position_count"], len(held)),
        ("long_count", counts["long_count"], types.count("LONG")),
        ("short_count", counts["short_count"], types.count("SHORT")),
        ("option_count", counts["option_count"], sum(map(types.count, _OPTIONS))),
        ("total_market_value", counts["total_market_value"], net),
    ):
        yield from differing(name, shown, expected, cents)
    if "holdings" in found:
        yield from _judge_holdings(book, portfolio, found["holdings"])
    else:
        yield "holdings is missing"


def _judge_holdings(
    book: Book, portfolio: Portfolio, found: Sequence[CompleteHolding]
) -> Iterator[str]:
    values = {each["id"]: each["market_value"] for each in found}
    held = {each.id: each for each in book.holdings[portfolio.id]}
    missing, extra = len(held.keys() - values.keys()), len(values.keys() - held.keys())
    if missing or extra:
        yield f"{missing} holdings missing, {extra} too many"
    for id_ in values.keys() & held.keys():
        yield from differing(held[id_].symbol, values[id_], held[id_].value or 0.0)
    if portfolio.is_current:
        cents = len(held) + 1
        long = sum(max(0.0, value) for value in values.values())
        short = sum(min(0.0, value) for value in values.values())
        yield from differing("long value", long, portfolio.long_value or 0.0, cents)
        yield from differing("short value", short, portfolio.short_value or 0.0, cents)
