"""A portfolio's betas: those of its positions, weighted by value over equity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.calculations.factors import FACTOR_NAMES, RIDGE_FACTOR_NAMES
from ops.backfill.holdings import Holdings
from ops.backfill.inputs import BatchInputs, PortfolioInputs
from ops.backfill.symbol_figures import SymbolFigures

Floats = NDArray[np.float64]

MARKET, PROVIDER, INTEREST_RATE = range(len(FACTOR_NAMES), len(FACTOR_NAMES) + 3)
# Market, the six styles, interest rate: the order of the stress factors.
_STRESS_FACTORS = [MARKET, *range(len(RIDGE_FACTOR_NAMES)), INTEREST_RATE]


@dataclass(frozen=True)
class PortfolioBetas:
    """Betas of a portfolio over D days; NaN where no position has one or equity is not positive.

    Attributes:
        exposure: (D, 13) the ten factors, market, provider, interest rate.
        dollars: (D, 13) exposure x equity.
        market_r_squared: (D,) of the market betas, weighted by gross value.
        market_observations: (D,) the fewest that any of them rests on.
    """

    exposure: Floats
    dollars: Floats
    market_r_squared: Floats
    market_observations: Floats

    @property
    def stress_dollars(self) -> Floats:
        """Dollar exposures (D, 8) in the order of the stress factors."""
        return self.dollars[:, _STRESS_FACTORS]


def portfolio_betas(
    inputs: PortfolioInputs,
    batch: BatchInputs,
    figures: SymbolFigures,
    holdings: Holdings,
    equity: Floats,
) -> PortfolioBetas:
    """Fan the symbols' betas out to positions and sum them up."""
    value = holdings.known_value
    betas = _position_betas(inputs, batch, figures, holdings)
    equity = positive(equity)[:, None]
    known = np.isfinite(betas).any(axis=1) & ~np.isnan(equity)
    sums = np.einsum("dp,dpf->df", value, np.nan_to_num(betas))
    exposure = np.where(known, sums / equity, np.nan)
    r_squared, observations = _market_fit(figures, holdings, np.isfinite(betas[:, :, MARKET]))
    stored = known[:, MARKET]
    return PortfolioBetas(
        exposure=exposure,
        dollars=exposure * equity,
        market_r_squared=np.where(stored, r_squared, np.nan),
        market_observations=np.where(stored, observations, np.nan),
    )


def _position_betas(
    inputs: PortfolioInputs, batch: BatchInputs, figures: SymbolFigures, holdings: Holdings
) -> Floats:
    """Betas that count (D, P, 13): factors and provider of stocks and funds, the market beta of
    all that is listed, the interest-rate beta of what is public."""
    column = holdings.column
    eligible = holdings.valued & inputs.positions.factor_eligible
    public = holdings.valued & inputs.positions.in_class("PUBLIC")
    market = np.where(holdings.valued, figures.market.beta[:, column], np.nan)
    single = [
        market,
        np.where(eligible, _provider_betas(inputs, batch, market), np.nan),
        np.where(public, figures.interest_rate.beta[:, column], np.nan),
    ]
    factors = np.where(eligible[:, :, None], figures.factors.values[:, column], np.nan)
    return np.concatenate([factors, np.stack(single, axis=2)], axis=2)


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


def _market_fit(
    figures: SymbolFigures, holdings: Holdings, has_beta: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Mean R² weighted by gross value, and fewest observations, of the market betas (D,)."""
    column = holdings.column
    weight = np.abs(holdings.known_value) * has_beta
    r_squared = np.nan_to_num(figures.market.r_squared[:, column])
    observations = np.where(has_beta, figures.market.observations[:, column], np.inf)
    mean = (weight * r_squared).sum(axis=1) / positive(weight.sum(axis=1))
    return mean, observations.min(axis=1, initial=np.inf)


def positive(values: Floats) -> Floats:
    """Values above 0, NaN instead of all others."""
    return np.where(values > 0, values, np.nan)
