"""One portfolio over its days: arrays in, the rows of every analytic table out. No I/O."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.calculations.concentration import Concentration, concentration, sector_weights
from app.calculations.correlations import CorrelationBlock, windowed_correlations
from app.calculations.equity import EquityHistory, EquityState, roll_equity, unrealized_change
from app.calculations.factors import FACTOR_NAMES
from app.calculations.stress import stress_results
from app.calculations.volatility import VolatilityStatistics
from app.calculations.volatility_series import portfolio_volatility
from ops.backfill.holdings import Holdings, hold
from ops.backfill.inputs import BatchInputs, PortfolioInputs
from ops.backfill.sectors import sector_membership
from ops.backfill.symbol_figures import SymbolFigures

Floats = NDArray[np.float64]

CORRELATION_MIN_VALUE = 10_000.0
CORRELATION_MIN_WEIGHT = 0.01
MARKET, PROVIDER, INTEREST_RATE = range(len(FACTOR_NAMES), len(FACTOR_NAMES) + 3)


@dataclass(frozen=True)
class PortfolioFigures:
    """Everything computed for one portfolio, D days long.

    Attributes:
        rows: (D,) rows of the price matrix.
        figures: the symbols' figures, cut to the portfolio's days.
        occupied: (D,) whether any position is open; a day without any stores zeros.
        equity: (D,) after the day; a portfolio without positions keeps what it had.
        long_value, short_value: (D,) positive and negative sums of position values.
        exposure: (D, 13) betas of the portfolio: the ten factors, market, provider, interest
            rate; NaN where no position has one or the equity is not positive.
        market_r_squared, market_observations: (D,) of the market beta.
        eligible: (D, P) open listed stocks and funds.
        correlations: blocks of days with the same symbols; `filtered_out` (D,) positions.
        stress_direct, stress_correlated: (D, N scenarios).
    """

    inputs: PortfolioInputs
    rows: NDArray[np.intp]
    figures: SymbolFigures
    holdings: Holdings
    occupied: NDArray[np.bool_]
    history: EquityHistory
    long_value: Floats
    short_value: Floats
    exposure: Floats
    market_r_squared: Floats
    market_observations: NDArray[np.intp]
    eligible: NDArray[np.bool_]
    volatility: VolatilityStatistics
    concentration: Concentration
    sectors: tuple[str, ...]
    sector_weights: Floats
    correlations: list[CorrelationBlock]
    filtered_out: NDArray[np.intp]
    stress_direct: Floats
    stress_correlated: Floats

    @property
    def days(self) -> int:
        return len(self.rows)

    @property
    def equity(self) -> Floats:
        return self.history.equity


def compute(inputs: PortfolioInputs, batch: BatchInputs, shared: SymbolFigures) -> PortfolioFigures:
    """Compute a portfolio's figures for all days of its span."""
    rows = batch.prices.rows_of(inputs.span.days)
    figures = cut_figures(shared, rows)
    holdings = hold(inputs, batch.prices, figures.mark)
    history = _history(inputs, batch, rows, holdings)
    value = holdings.known_value
    long_value = np.where(value > 0, value, 0.0).sum(axis=1)
    short_value = np.where(value < 0, value, 0.0).sum(axis=1)
    eligible = (
        holdings.open & inputs.positions.factor_eligible & (holdings.column >= 0)
    ) & ~np.isnan(holdings.value)
    exposure, r_squared, observations = _exposures(inputs, batch, figures, holdings, history)
    by_symbol = _by_symbol(value * _listed(holdings), holdings.column, len(batch.prices.symbols))
    weights = by_symbol / np.where(history.equity > 0, history.equity, np.nan)[:, None]
    included, filtered_out = _correlation_filter(inputs, holdings, batch, long_value - short_value)
    sectors, membership = sector_membership(inputs.positions, batch.profiles)
    direct, correlated = stress_results(
        stress_dollars(exposure, history.equity),
        np.array([scenario.shocks for scenario in batch.scenarios]).reshape(-1, 8),
        np.nan_to_num(figures.etf_correlation),
        long_value + short_value,
        long_value - short_value,
    )
    return PortfolioFigures(
        inputs=inputs,
        rows=rows,
        figures=figures,
        holdings=holdings,
        occupied=holdings.open.sum(axis=1) > 0,
        history=history,
        long_value=long_value,
        short_value=short_value,
        exposure=exposure,
        market_r_squared=r_squared,
        market_observations=observations,
        eligible=eligible,
        volatility=portfolio_volatility(batch.prices.closes, batch.prices.dates, rows, weights),
        concentration=concentration(_by_name(np.abs(value), inputs.positions.symbols)),
        sectors=sectors,
        sector_weights=sector_weights(value, membership, history.equity),
        correlations=windowed_correlations(batch.prices.closes, batch.prices.dates, rows, included),
        filtered_out=filtered_out,
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


def _exposures(
    inputs: PortfolioInputs,
    batch: BatchInputs,
    figures: SymbolFigures,
    holdings: Holdings,
    history: EquityHistory,
) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Portfolio betas (D, 13), and R² and observations (D,) of the market beta."""
    column = np.maximum(holdings.column, 0)
    listed = holdings.open & _listed(holdings) & ~np.isnan(holdings.value)
    public = listed & np.array([kind == "PUBLIC" for kind in inputs.positions.classes], np.bool_)
    eligible = listed & inputs.positions.factor_eligible
    market = np.where(listed, figures.market.beta[:, column], np.nan)
    betas = np.concatenate(
        [
            np.where(eligible[:, :, None], figures.factors.values[:, column], np.nan),
            market[:, :, None],
            np.where(eligible, _provider_betas(inputs, batch, market), np.nan)[:, :, None],
            np.where(public, figures.interest_rate.beta[:, column], np.nan)[:, :, None],
        ],
        axis=2,
    )
    value = np.nan_to_num(holdings.value)
    dollars = np.einsum("dp,dpf->df", value, np.nan_to_num(betas))
    known = np.isfinite(betas).any(axis=1) & (history.equity > 0)[:, None]
    exposure = np.where(known, dollars / _positive(history.equity)[:, None], np.nan)
    weight = np.abs(value) * np.isfinite(market)
    r_squared = np.nan_to_num(figures.market.r_squared[:, column])
    observations = np.where(np.isfinite(market), figures.market.observations[:, column], 10**6)
    return (
        exposure,
        (weight * r_squared).sum(axis=1) / _positive(weight.sum(axis=1)),
        observations.min(axis=1, initial=10**6),
    )


def _provider_betas(inputs: PortfolioInputs, batch: BatchInputs, market: Floats) -> Floats:
    """The profile's beta, or the day's own market beta where that is missing or zero (D, P)."""
    given = np.array(
        [
            batch.profiles[symbol].beta if symbol in batch.profiles else np.nan
            for symbol in inputs.positions.symbols
        ],
        np.float64,
    )
    return np.where(np.nan_to_num(given) != 0, given, market)


def stress_dollars(exposure: Floats, equity: Floats) -> Floats:
    """Dollar exposures (D, 8) in the order of the stress factors: market, six styles, rates."""
    order = [MARKET, *range(6), INTEREST_RATE]
    return exposure[:, order] * equity[:, None]


def _correlation_filter(
    inputs: PortfolioInputs, holdings: Holdings, batch: BatchInputs, gross: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Which symbols are worth correlating (D, S), and how many open positions are not (D,)."""
    size = np.abs(holdings.known_value)
    weight = size / _positive(gross)[:, None]
    private = np.array([kind == "PRIVATE" for kind in inputs.positions.classes], np.bool_)
    passing = holdings.open & ~private & (size >= CORRELATION_MIN_VALUE)
    passing &= weight >= CORRELATION_MIN_WEIGHT
    priced = passing & _listed(holdings)
    included = _by_symbol(priced, holdings.column, len(batch.prices.symbols)) > 0
    return included, (holdings.open & ~priced).sum(axis=1)


def _listed(holdings: Holdings) -> NDArray[np.bool_]:
    listed: NDArray[np.bool_] = holdings.column >= 0
    return listed


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


def _positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)
