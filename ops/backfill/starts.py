"""What the portfolios of a batch start from, read before any of it is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from ops.backfill.planning import PortfolioSpan
from ops.sql_files import statement


@dataclass(frozen=True)
class PriorState:
    """What a portfolio carries into its first day.

    Attributes:
        is_start: it never had a snapshot.
        copied_of: the day of the snapshot that it carries on, if legacy took that.
    """

    equity: float
    cumulative_pnl: float = 0.0
    cumulative_realized: float = 0.0
    cumulative_flow: float = 0.0
    is_start: bool = True
    copied_of: date | None = None


@dataclass(frozen=True)
class Shown:
    """The equity that legacy showed of a portfolio on a session of its span: where the portfolio
    has no day to start from, its capital is what leads to that.

    Attributes:
        is_snapshot: whether legacy took a snapshot of it; else it is what the portfolio declares.
        follows: whether legacy took one of the session before the span too, without positions.
    """

    day: date
    equity: float
    is_snapshot: bool
    follows: bool


@dataclass(frozen=True)
class PortfolioStart:
    """A portfolio's span and what it starts from. That can depend on what legacy showed of other
    portfolios, so it is read for all of them at once, while none of them is written."""

    span: PortfolioSpan
    prior: PriorState
    shown: Shown | None

    @property
    def assumed(self) -> str | None:
        """What was assumed of the capital where legacy has no snapshot of the session before."""
        if self.shown is not None and not self.shown.follows:
            kind = "its first snapshot" if self.shown.is_snapshot else "what it declares"
            return (
                f"no snapshot before {self.span.first}, so that its capital is what leads to "
                f"{self.shown.equity:,.2f} on {self.shown.day}, {kind}"
            )
        day = self.prior.copied_of
        if day is None or day >= self.span.session_before:
            return None
        return (
            f"its last snapshot before {self.span.first} is of {day}, so that what it earned "
            "between is left out"
        )


def load_starts(core: psycopg.Connection, spans: Sequence[PortfolioSpan]) -> list[PortfolioStart]:
    """Read what each span starts from."""
    prior, shown = _prior_states(core, spans), _first_shown(core, spans)
    return [
        PortfolioStart(
            span,
            prior.get(span.portfolio_id, PriorState(span.starting_equity)),
            None if span.portfolio_id in prior else shown.get(span.portfolio_id),
        )
        for span in spans
    ]


def _prior_states(
    core: psycopg.Connection, spans: Sequence[PortfolioSpan]
) -> dict[UUID, PriorState]:
    rows = core.execute(statement("backfill/prior_state"), asked_of(spans)).fetchall()
    return {
        portfolio: PriorState(
            (equity or 0.0) + flows,
            pnl or 0.0,
            realized or 0.0,
            (flow or 0.0) + flows,
            False,
            copied_of,
        )
        for portfolio, equity, pnl, realized, flow, flows, copied_of in rows
    }


def _first_shown(core: psycopg.Connection, spans: Sequence[PortfolioSpan]) -> dict[UUID, Shown]:
    sessions = {span.portfolio_id: span for span in spans}
    return {
        portfolio: Shown(sessions[portfolio].session_until(day), *rest)
        for portfolio, day, *rest in core.execute(
            statement("backfill/first_shown"), asked_of(spans)
        ).fetchall()
    }


def asked_of(spans: Sequence[PortfolioSpan]) -> dict[str, list[Any]]:
    """The spans as parameters of a statement."""
    return {
        "portfolios": [span.portfolio_id for span in spans],
        "after": [span.session_before for span in spans],
        "first": [span.first for span in spans],
        "until": [span.last for span in spans],
    }
