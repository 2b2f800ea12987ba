"""What a backfill has to do: per portfolio, the days that are not done and all that follow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import get_args
from uuid import UUID

import psycopg

from ops.backfill import Mode
from ops.errors import BadInputError
from ops.sql_files import statement
from ops.trading_calendar import trading_days


@dataclass(frozen=True)
class BackfillRequest:
    """Which days to work on.

    Attributes:
        mode: `missing` does what is not done yet, failed days included; `failed` only
            portfolios with a failed day; `all` does the whole range again.
    """

    first: date
    last: date
    mode: Mode = "missing"

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise BadInputError(f"mode {self.mode!r} is unknown; use missing, failed or all")
        trading_days(self.first, self.last)


@dataclass(frozen=True)
class PortfolioSpan:
    """The days to compute for one portfolio.

    A day starts from the equity of the day before it, so everything that was carried beyond the
    first such day is computed again.

    Attributes:
        positions: how many it has, those that have ended included.
        starting_equity: the recorded capital before the portfolio's first snapshot.
    """

    portfolio_id: UUID
    name: str
    positions: int
    starting_equity: float
    first: date
    last: date

    @property
    def days(self) -> tuple[date, ...]:
        return trading_days(self.first, self.last)

    @property
    def session_before(self) -> date:
        """The last session before the first day."""
        return trading_days(self.first - timedelta(days=10), self.first)[-2]

    def session(self, day: date) -> date:
        """The session that something dated `day` counts to: the day itself or the next one.
        What earlier sessions have seen, and what lies beyond the last day, keeps its date."""
        if day <= self.session_before:
            return day
        return next((session for session in self.days if session >= day), day)

    def session_until(self, day: date) -> date:
        """The session as of whose end something dated `day` is: that day or the last before."""
        return max((session for session in self.days if session <= day), default=self.first)


def plan_spans(core: psycopg.Connection, request: BackfillRequest) -> list[PortfolioSpan]:
    """What `request` means for each live portfolio; empty when everything is done.

    Raises:
        BadInputError: there is no portfolio at all.
    """
    days = list(trading_days(request.first, request.last))
    rows = core.execute(statement("backfill/portfolios"), {"days": days}).fetchall()
    if not rows:
        raise BadInputError("there is no portfolio to work on; run `sigmasight seed` first")
    spans = [span for row in rows if (span := _span(request, days, *row)) is not None]
    return _from_last_occupied(core, spans)


def _from_last_occupied(
    core: psycopg.Connection, spans: Sequence[PortfolioSpan]
) -> list[PortfolioSpan]:
    """Let spans that follow days without positions begin with the first of those."""
    earlier: dict[UUID, date] = dict(
        core.execute(
            statement("backfill/unoccupied"),
            {
                "portfolios": [span.portfolio_id for span in spans],
                "first": [span.first for span in spans],
            },
        ).fetchall()
    )
    return [replace(span, first=earlier.get(span.portfolio_id, span.first)) for span in spans]


def _span(
    request: BackfillRequest,
    days: list[date],
    portfolio_id: UUID,
    name: str,
    positions: int,
    starting_equity: float,
    first_not_done: date | None,
    failed_days: int,
    carried_to: date | None,
) -> PortfolioSpan | None:
    first = days[0] if request.mode == "all" else first_not_done
    if first is None or (request.mode == "failed" and not failed_days):
        return None
    if carried_to is not None and carried_to < first:
        # A portfolio that lags behind the range is caught up: a gap would lose its days' profit.
        first = trading_days(carried_to, first)[1]
    last = max(days[-1], carried_to or days[-1])
    return PortfolioSpan(portfolio_id, name, positions, starting_equity, first, last)
