"""One portfolio over its days: arrays in, figures of every analytic table out. No I/O."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.calculations.concentration import Concentration, concentration, sector_weights
from app.calculations.correlations import CorrelationBlock, windowed_correlations
from app.calculations.equity import EquityHistory, EquityState, roll_equity, unrealized_change
from app.calculations.rounding import round_half_away
from app.calculations.sectors import sector_of
from app.calculations.stress import stress_results
from app.calculations.volatility import VolatilityStatistics
from app.calculations.volatility_series import portfolio_volatility
from ops.backfill.holdings import Holdings, hold
from ops.backfill.inputs import BatchInputs, CompanyProfile, PortfolioInputs
from ops.backfill.portfolio_betas import PortfolioBetas, portfolio_betas, positive
from ops.backfill.starts import PriorState
from ops.backfill.symbol_figures import SymbolFigures

Floats = NDArray[np.float64]

CORRELATION_MIN_VALUE = 10_000.0
CORRELATION_MIN_WEIGHT = 0.01


@dataclass(frozen=True)
class Correlations:
    """Correlations of a portfolio's larger positions over D days.

    Attributes:
        blocks: days with the same symbols in the matrix.
        filtered_out: (D,) open positions that are private, unpriced or too small.
    """

    blocks: list[CorrelationBlock]
    filtered_out: NDArray[np.intp]


@dataclass(frozen=True)
class SectorWeights:
    """Gross value over equity (D, K) of the K sectors held."""

    names: tuple[str, ...]
    weights: Floats


@dataclass(frozen=True)
class PortfolioFigures:
    """Everything computed for one portfolio, D days long.

    Attributes:
        rows: (D,) rows of the price matrix.
        figures: the symbols' figures, cut to the portfolio's days.
        history: equity after each day; a portfolio without positions keeps what it had.
        stress_direct, stress_correlated: (D, N scenarios) dollars.
    """

    inputs: PortfolioInputs
    rows: NDArray[np.intp]
    figures: SymbolFigures
    holdings: Holdings
    history: EquityHistory
    betas: PortfolioBetas
    volatility: VolatilityStatistics
    concentration: Concentration
    sectors: SectorWeights
    correlations: Correlations
    stress_direct: Floats
    stress_correlated: Floats

    @property
    def days(self) -> int:
        return len(self.rows)

    @property
    def portfolio_id(self) -> NDArray[np.uint8]:
        """The portfolio's id as bytes (16,)."""
        return np.frombuffer(self.inputs.span.portfolio_id.bytes, np.uint8)


def compute(inputs: PortfolioInputs, batch: BatchInputs, shared: SymbolFigures) -> PortfolioFigures:
    """Compute a portfolio's figures for all days of its span."""
    rows = batch.prices.rows_of(inputs.span.days)
    figures = cut_figures(shared, rows)
    holdings = hold(inputs, batch.prices, figures.mark)
    inputs = _with_capital(inputs, batch, rows, holdings)
    history = _history(inputs, batch, rows, holdings)
    betas = portfolio_betas(inputs, batch, figures, holdings, history.equity)
    direct, correlated = _stress(batch, figures, holdings, betas)
    return PortfolioFigures(
        inputs=inputs,
        rows=rows,
        figures=figures,
        holdings=holdings,
        history=history,
        betas=betas,
        volatility=_volatility(batch, rows, holdings, history.equity),
        concentration=concentration(
            _by_name(np.abs(holdings.known_value), inputs.positions.symbols)
        ),
        sectors=_sectors(inputs, batch, holdings, history.equity),
        correlations=_correlations(inputs, batch, rows, holdings),
        stress_direct=direct,
        stress_correlated=correlated,
    )


def cut_figures(shared: SymbolFigures, rows: NDArray[np.intp]) -> SymbolFigures:
    """The days at `rows`, a contiguous part of the shared days."""
    start = int(rows[0] - shared.rows[0])
    part = slice(start, start + len(rows))

    def cut(arrays: object) -> dict[str, object]:
        return {name: array[part] for name, array in vars(arrays).items()}

    return SymbolFigures(
        rows=shared.rows[part],
        mark=shared.mark[part],
        factors=replace(shared.factors, **cut(shared.factors)),  # type: ignore[arg-type]
        market=replace(shared.market, **cut(shared.market)),  # type: ignore[arg-type]
        interest_rate=replace(shared.interest_rate, **cut(shared.interest_rate)),  # type: ignore[arg-type]
        volatility=replace(shared.volatility, **cut(shared.volatility)),  # type: ignore[arg-type]
        etf_correlation=shared.etf_correlation[part],
        etf_observations=shared.etf_observations[part],
    )


def _with_capital(
    inputs: PortfolioInputs, batch: BatchInputs, rows: NDArray[np.intp], holdings: Holdings
) -> PortfolioInputs:
    """The inputs with the capital that leads to what legacy showed, where that decides it."""
    shown = inputs.shown
    if shown is None or shown.day not in inputs.span.days:
        return inputs
    from_nothing = _history(replace(inputs, prior=PriorState(0.0)), batch, rows, holdings)
    earned = from_nothing.equity[inputs.span.days.index(shown.day)]
    return replace(inputs, prior=PriorState(float(shown.equity - earned)), shown=None)


def _history(
    inputs: PortfolioInputs, batch: BatchInputs, rows: NDArray[np.intp], holdings: Holdings
) -> EquityHistory:
    prior = inputs.prior
    change = unrealized_change(
        batch.prices.closes,
        batch.prices.dates,
        rows,
        holdings.history,
        first_snapshot=0 if prior.is_start else None,
    )
    start = EquityState(
        prior.equity, prior.cumulative_pnl, prior.cumulative_realized, prior.cumulative_flow
    )
    return roll_equity(start, change.sum(axis=1), holdings.realized, holdings.flow)


def _stress(
    batch: BatchInputs, figures: SymbolFigures, holdings: Holdings, betas: PortfolioBetas
) -> tuple[Floats, Floats]:
    """Direct and correlated dollars of each scenario (D, N)."""
    return stress_results(
        betas.stress_dollars,
        batch.shocks,
        np.nan_to_num(figures.etf_correlation),
        net_exposure=holdings.long_value + holdings.short_value,
        gross_exposure=holdings.long_value - holdings.short_value,
    )


def _volatility(
    batch: BatchInputs, rows: NDArray[np.intp], holdings: Holdings, equity: Floats
) -> VolatilityStatistics:
    listed = holdings.known_value * holdings.listed
    by_symbol = _by_symbol(listed, holdings.column, len(batch.prices.symbols))
    weights = by_symbol / positive(equity)[:, None]
    return portfolio_volatility(batch.prices.closes, batch.prices.dates, rows, weights)


def _sectors(
    inputs: PortfolioInputs, batch: BatchInputs, holdings: Holdings, equity: Floats
) -> SectorWeights:
    positions = inputs.positions
    profiles = [batch.profiles.get(symbol, CompanyProfile()) for symbol in positions.symbols]
    held = [
        sector_of(kind, profile.sector, is_fund=profile.is_etf)
        for kind, profile in zip(positions.classes, profiles, strict=True)
    ]
    names = sorted({sector for sector in held if sector is not None})
    membership = np.array([[sector == name for name in names] for sector in held], np.bool_)
    known = membership.reshape(len(held), len(names))
    return SectorWeights(tuple(names), sector_weights(holdings.known_value, known, equity))


def _correlations(
    inputs: PortfolioInputs, batch: BatchInputs, rows: NDArray[np.intp], holdings: Holdings
) -> Correlations:
    """Correlate the symbols of the listed positions that are large, in dollars and in weight."""
    size = _cents(np.abs(holdings.known_value))
    gross = _cents(holdings.long_value - holdings.short_value)
    passing = holdings.valued & (size >= CORRELATION_MIN_VALUE * 100)
    passing &= np.rint(size / CORRELATION_MIN_WEIGHT) >= gross[:, None]
    included = _by_symbol(passing, holdings.column, len(batch.prices.symbols)) > 0
    return Correlations(
        windowed_correlations(batch.prices.closes, batch.prices.dates, rows, included),
        (holdings.open & ~passing).sum(axis=1),
    )


def _cents(dollars: Floats) -> Floats:
    """Whole cents, as they are stored: a hundred equal positions are one per cent each."""
    return np.rint(round_half_away(dollars, 2) * 100)


def _by_symbol(values: NDArray[np.generic], column: NDArray[np.intp], symbols: int) -> Floats:
    """Sum positions (D, P) into the price matrix' columns (D, S)."""
    membership = np.zeros((len(column), symbols))
    membership[np.flatnonzero(column >= 0), column[column >= 0]] = 1.0
    return values.astype(np.float64) @ membership


def _by_name(values: Floats, symbols: tuple[str, ...]) -> Floats:
    """Sum positions (D, P) by the spelling of their symbols."""
    names, code = np.unique(np.array(symbols, dtype=str), return_inverse=True)
    membership = np.zeros((len(symbols), len(names)))
    membership[np.arange(len(symbols)), code] = 1.0
    return values @ membership
