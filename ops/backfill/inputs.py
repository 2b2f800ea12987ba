"""What a block reads from Core before it computes anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
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
from ops.backfill.starts import PortfolioStart, asked_of
from ops.errors import BadInputError
from ops.sql_files import statement

_PORTFOLIO_BETAS = (MARKET_BETA_NAME, PROVIDER_BETA_NAME, INTEREST_RATE_BETA_NAME)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Closing:
    """A lot that was sold: `position` is its index, `quantity` signed as the position's."""

    day: date
    position: int
    quantity: float
    realized: float


@dataclass(frozen=True)
class PortfolioInputs(PortfolioStart):
    """Everything of one portfolio that its days depend on."""

    positions: Positions
    closings: Sequence[Closing]
    flows: Mapping[date, float]

    @property
    def symbols(self) -> set[str]:
        """The symbols whose prices it needs: of what it holds, and of what its options are on."""
        of_class = zip(
            self.positions.symbols,
            self.positions.volatility_symbols,
            self.positions.classes,
            strict=True,
        )
        return {name for *names, kind in of_class if kind != "PRIVATE" for name in names}


@dataclass(frozen=True)
class Scenario:
    """An active stress scenario; `shocks` is in the order of SHOCK_NAMES."""

    id: UUID
    name: str
    category: str
    shocks: Floats


@dataclass(frozen=True)
class CompanyProfile:
    """What the batch uses of a company profile; a number that is not known is NaN."""

    sector: str | None = None
    beta: float = np.nan
    is_etf: bool = False
    industry: str | None = None
    company_name: str | None = None
    market_cap: float = np.nan
    pe_ratio: float = np.nan


@dataclass(frozen=True)
class BatchInputs:
    """One consistent reading of Core, for a block of portfolios or for symbols alone."""

    prices: PriceMatrix
    portfolios: Sequence[PortfolioInputs]
    factor_ids: Mapping[str, UUID]
    scenarios: Sequence[Scenario]
    profiles: Mapping[str, CompanyProfile]

    @property
    def shocks(self) -> Floats:
        """Scenarios x stress factors (N, 8)."""
        return np.array([s.shocks for s in self.scenarios]).reshape(-1, len(SHOCK_NAMES))


def load_inputs(core: psycopg.Connection, starts: Sequence[PortfolioStart]) -> BatchInputs:
    """Read everything that the days of these portfolios depend on.

    Raises:
        BadInputError: factor definitions are missing.
    """
    portfolios = _portfolio_inputs(core, starts)
    symbols = set[str]().union(*(portfolio.symbols for portfolio in portfolios))
    first, last = min(each.span.first for each in starts), max(each.span.last for each in starts)
    return load_market(core, sorted(symbols), first, last, portfolios)


def load_market(
    core: psycopg.Connection,
    symbols: Sequence[str],
    first: date,
    last: date,
    portfolios: Sequence[PortfolioInputs] = (),
) -> BatchInputs:
    """Read what is known of symbols, and what days `first`..`last` look back on.

    Raises:
        BadInputError: factor definitions are missing.
    """
    prices = load_prices(core, symbols, first, last)
    return BatchInputs(
        prices, portfolios, _factor_ids(core), _scenarios(core), _profiles(core, prices.symbols)
    )


def _portfolio_inputs(
    core: psycopg.Connection, starts: Sequence[PortfolioStart]
) -> list[PortfolioInputs]:
    spans = [start.span for start in starts]
    positions = load_positions(core, spans)
    closings, flows = _closings(core, spans, positions), _flows(core, spans)
    return [
        PortfolioInputs(
            **vars(start),
            positions=positions[start.span.portfolio_id][0],
            closings=closings.get(start.span.portfolio_id, []),
            flows=flows.get(start.span.portfolio_id, {}),
        )
        for start in starts
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
        statement("backfill/closings"), asked_of(spans)
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
        statement("backfill/flows"), asked_of(spans)
    ).fetchall():
        session = sessions[portfolio].session(day)
        own = found.setdefault(portfolio, {})
        own[session] = own.get(session, 0.0) + amount
    return found


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
        SELECT symbol, sector, coalesce(beta::float8, 'NaN'),
            coalesce(is_etf, false) OR coalesce(is_fund, false), industry, company_name,
            coalesce(market_cap::float8, 'NaN'), coalesce(pe_ratio::float8, 'NaN')
        FROM company_profiles WHERE symbol = ANY(%s)
        """,
        [list(symbols)],
    )
    return {symbol: CompanyProfile(*known) for symbol, *known in rows}
