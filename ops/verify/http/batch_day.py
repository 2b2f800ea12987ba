"""Whether the newest batch day is whole, and the backend shows it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from ops.sql_files import statement
from ops.verify.http.exchange import Exchange
from ops.verify.http.facts import Portfolio, read_book
from ops.verify.http.faults import Faults
from ops.verify.http.visit import Visit
from ops.verify.report import Finding
from ops.verify.subject import Subject


class _Day(NamedTuple):
    day: date | None
    unsuccessful: bool
    live: int
    done: int


def batch_day(subject: Subject, visit: Visit) -> Finding:
    """The newest day of batch_run_tracking succeeded, every live portfolio has its snapshot, and
    that is the day which each demo portfolio shows."""
    tokens = visit.tokens()
    newest = _newest(subject)
    portfolios = [each for each in read_book(subject, tokens).portfolios if each.is_active]
    faults = Faults()
    if newest.day is None:
        faults.add("no batch day is recorded; run the backfill")
    faults.unless(not newest.unsuccessful, f"the batch of {newest.day} did not succeed")
    faults.unless(newest.live == newest.done, f"{newest.done} of {newest.live} portfolios done")
    visit.ask(lambda http: _ask_all(http, tokens, portfolios, newest.day, faults))
    return faults.finding(
        f"{newest.day}: {newest.done} of {newest.live} portfolios done, "
        f"{len(portfolios)} shown with that day",
        day=str(newest.day),
        done=newest.done,
        live=newest.live,
    )


def _newest(subject: Subject) -> _Day:
    with subject.core() as connection:
        row = connection.execute(statement("verify/http/batch_day")).fetchone()
    return _Day(*row) if row else _Day(None, False, 0, 0)


async def _ask_all(
    http: Exchange,
    tokens: Mapping[str, str],
    portfolios: Sequence[Portfolio],
    day: date | None,
    faults: Faults,
) -> None:
    await asyncio.gather(
        *(_compare(http, tokens[each.email], each, day, faults) for each in portfolios)
    )


async def _compare(
    http: Exchange, token: str, portfolio: Portfolio, day: date | None, faults: Faults
) -> None:
    with faults.of(portfolio.name):
        path = f"/api/v1/data/portfolio/{portfolio.id}/snapshot"
        shown = (await http.get(path, token)).json()["snapshot_date"].value
        faults.unless(shown == str(day), f"{portfolio.name} shows {shown}, not {day}")
