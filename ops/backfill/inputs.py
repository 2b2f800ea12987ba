"""What the batch reads from Core before it computes anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray

from app.calculations.factors import (
    FACTOR_NAMES,
    INTEREST_RATE_BETA_NAME,
    MARKET_BETA_NAME,
    PROVIDER_BETA_NAME,
    SHOCK_NAMES,
)
from ops.backfill.planning import PortfolioSpan
from ops.backfill.positions import Positions, load_positions
from ops.backfill.prices import PriceMatrix, load_prices
from ops.errors import BadInputError
from ops.sql_files import statement

_PORTFOLIO_BETAS = (MARKET_BETA_NAME, PROVIDER_BETA_NAME, INTEREST_RATE_BETA_NAME)

Floats = NDArray[np.float64]


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
class Closing:
    """A lot that was sold: `position` is its index, `quantity` signed as the position's."""

    day: date
    position: int
    quantity: float
    realized: float


@dataclass(frozen=True)
class PortfolioInputs:
    """Everything of one portfolio that its days depend on."""

    span: PortfolioSpan
    positions: Positions
    prior: PriorState
    shown: Shown | None
    closings: Sequence[Closing]
    flows: Mapping[date, float]

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


@dataclass(frozen=True)
class Scenario:
    """An active stress scenario; `shocks` is in the order of SHOCK_NAMES."""

    id: UUID
    name: str
    category: str
    shocks: Floats


@dataclass(frozen=True)
class CompanyProfile:
    """What the batch uses of a company profile."""

    sector: str | None
    beta: float
    is_etf: bool
    columns: Mapping[str, Any]


@dataclass(frozen=True)
class BatchInputs:
    """One consistent reading of Core."""

    prices: PriceMatrix
    portfolios: Sequence[PortfolioInputs]
    factor_ids: Mapping[str, UUID]
    scenarios: Sequence[Scenario]
    profiles: Mapping[str, CompanyProfile]

    @property
    def shocks(self) -> Floats:
        """Scenarios x stress factors (N, 8)."""
        return np.array([s.shocks for s in self.scenarios]).reshape(-1, len(SHOCK_NAMES))


def load_inputs(core: psycopg.Connection, spans: Sequence[PortfolioSpan]) -> BatchInputs:
    """Read everything that `spans` depend on.

    Raises:
        BadInputError: factor definitions or prices are missing.
    """
    portfolios = _portfolio_inputs(core, spans)
    symbols = [row[0] for row in core.execute(statement("backfill/symbols")).fetchall()]
    first, last = min(span.first for span in spans), max(span.last for span in spans)
    prices = load_prices(core, symbols, first, last)
    return BatchInputs(
        prices, portfolios, _factor_ids(core), _scenarios(core), _profiles(core, prices.symbols)
    )


def _portfolio_inputs(
    core: psycopg.Connection, spans: Sequence[PortfolioSpan]
) -> list[PortfolioInputs]:
    positions = load_positions(core, spans)
    closings, flows = _closings(core, spans, positions), _flows(core, spans)
    prior, shown = _prior_states(core, spans), _first_shown(core, spans)
    return [
        PortfolioInputs(
            span,
            positions[span.portfolio_id][0],
            prior.get(span.portfolio_id, PriorState(span.starting_equity)),
            None if span.portfolio_id in prior else shown.get(span.portfolio_id),
            closings.get(span.portfolio_id, []),
            flows.get(span.portfolio_id, {}),
        )
        for span in spans
    ]


def _closings(
    core: psycopg.Connection,
    spans: Sequence[PortfolioSpan],
    positions: Mapping[UUID, tuple[Positions, list[UUID]]],
) -> dict[UUID, list[Closing]]:
    """Lots that were sold, on the session that they count to."""
    sessions = {span.portfolio_id: span for span in spans}
    index = {
        position: number
        for _, identifiers in positions.values()
        for number, position in enumerate(identifiers)
    }
    found: dict[UUID, list[Closing]] = {}
    for portfolio, position, day, quantity, realized in core.execute(
        statement("backfill/closings"), _asked(spans)
    ).fetchall():
        number = index[position]
        signed = float(np.copysign(abs(quantity), positions[portfolio][0].quantity[number]))
        lot = Closing(sessions[portfolio].session(day), number, signed, realized)
        found.setdefault(portfolio, []).append(lot)
    return found


def _flows(
    core: psycopg.Connection, spans: Sequence[PortfolioSpan]
) -> dict[UUID, dict[date, float]]:
    """Contributions less withdrawals, on the session that they count to."""
    sessions = {span.portfolio_id: span for span in spans}
    found: dict[UUID, dict[date, float]] = {}
    for portfolio, day, amount in core.execute(
        statement("backfill/flows"), _asked(spans)
    ).fetchall():
        session = sessions[portfolio].session(day)
        own = found.setdefault(portfolio, {})
        own[session] = own.get(session, 0.0) + amount
    return found


def _prior_states(
    core: psycopg.Connection, spans: Sequence[PortfolioSpan]
) -> dict[UUID, PriorState]:
    rows = core.execute(statement("backfill/prior_state"), _asked(spans)).fetchall()
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
        portfolio: Shown(sessions[portfolio].session(day), *rest)
        for portfolio, day, *rest in core.execute(
            statement("backfill/first_shown"), _asked(spans)
        ).fetchall()
    }


def _asked(spans: Sequence[PortfolioSpan]) -> dict[str, list[Any]]:
    return {
        "portfolios": [span.portfolio_id for span in spans],
        "after": [span.session_before for span in spans],
        "until": [span.last for span in spans],
    }


def _factor_ids(core: psycopg.Connection) -> dict[str, UUID]:
    known: dict[str, UUID] = dict(
        core.execute("SELECT name, id FROM factor_definitions").fetchall()
    )
    missing = [name for name in (*FACTOR_NAMES, *_PORTFOLIO_BETAS) if name not in known]
    if missing:
        raise BadInputError(
            f"factor definitions are missing ({', '.join(missing)}); run `sigmasight seed` first"
        )
    return known


def _scenarios(core: psycopg.Connection) -> list[Scenario]:
    rows = core.execute(
        """
        SELECT id, name, category, shock_config -> 'shocked_factors'
        FROM stress_test_scenarios WHERE active ORDER BY scenario_id
        """
    ).fetchall()
    return [
        Scenario(id, name, category, np.array([_shock(shocks, factor) for factor in SHOCK_NAMES]))
        for id, name, category, shocks in rows
    ]


def _shock(shocks: object, factor: str) -> float:
    """What a scenario does to a factor; users' own scenarios may say it in a way of their own."""
    shock = shocks.get(factor) if isinstance(shocks, dict) else None
    return float(shock) if isinstance(shock, int | float) else 0.0


def _profiles(core: psycopg.Connection, symbols: Sequence[str]) -> dict[str, CompanyProfile]:
    rows = core.execute(
        """
        SELECT symbol, sector, beta::float8, coalesce(is_etf, false) OR coalesce(is_fund, false),
            industry, company_name, market_cap::float8, pe_ratio::float8
        FROM company_profiles WHERE symbol = ANY(%s)
        """,
        [list(symbols)],
    ).fetchall()
    return {
        symbol: CompanyProfile(
            sector,
            np.nan if beta is None else beta,
            is_etf,
            {
                "sector": sector,
                "industry": industry,
                "company_name": name,
                "market_cap": np.nan if cap is None else cap,
                "pe_ratio": np.nan if pe is None else pe,
            },
        )
        for symbol, sector, beta, is_etf, industry, name, cap, pe in rows
    }
