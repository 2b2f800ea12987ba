"""A portfolio's figures → its daily snapshots."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.calculations.rounding import round_half_away
from ops.backfill.binary_copy import Text
from ops.backfill.inputs import BatchInputs
from ops.backfill.portfolio_betas import MARKET, PROVIDER
from ops.backfill.portfolio_block import PortfolioFigures
from ops.backfill.table_rows import TableRows, label_codes, table_rows


def snapshots(figures: PortfolioFigures, batch: BatchInputs) -> list[TableRows]:
    """One row per day."""
    values: dict[str, Any] = {
        "portfolio_id": figures.portfolio_id,
        "snapshot_date": batch.prices.dates[figures.rows],
        **_money(figures),
        **dict.fromkeys([f"portfolio_{greek}" for greek in ("delta", "gamma", "theta", "vega")], 0),
        **_counts(figures),
        **_volatility(figures),
        **_betas(figures),
        **_concentration(figures),
        "is_complete": True,
    }
    return [table_rows("portfolio_snapshots", np.arange(figures.days), values)]


def _money(figures: PortfolioFigures) -> dict[str, NDArray[np.float64]]:
    """Dollars and return; a day without any position stores zeros, equity too."""
    holdings, rolled = figures.holdings, dict(vars(figures.history))
    long_value, short_value = holdings.long_value, holdings.short_value
    equity = rolled.pop("equity")  # the others are called as their columns
    money = {
        "total_value": equity,
        "equity_balance": equity,
        "cash_value": np.maximum(0, equity - long_value - short_value),
        "long_value": long_value,
        "short_value": short_value,
        "gross_exposure": long_value - short_value,
        "net_exposure": long_value + short_value,
        **rolled,
    }
    return {name: np.where(holdings.occupied, value, 0.0) for name, value in money.items()}


def _counts(figures: PortfolioFigures) -> dict[str, NDArray[np.intp]]:
    units = figures.holdings.units
    return {
        "num_positions": figures.holdings.open.sum(axis=1),
        "num_long_positions": (units > 0).sum(axis=1),
        "num_short_positions": (units < 0).sum(axis=1),
    }


def _volatility(figures: PortfolioFigures) -> dict[str, Any]:
    volatility = figures.volatility
    return {
        "realized_volatility_21d": volatility.realized_21d,
        "realized_volatility_63d": volatility.realized_63d,
        "expected_volatility_21d": volatility.expected_21d,
        "volatility_trend": label_codes(volatility.trend),
        "volatility_percentile": volatility.percentile,
    }


def _betas(figures: PortfolioFigures) -> dict[str, NDArray[np.float64]]:
    betas = figures.betas
    return {
        "beta_calculated_90d": betas.exposure[:, MARKET],
        "beta_calculated_90d_r_squared": betas.market_r_squared,
        "beta_calculated_90d_observations": betas.market_observations,
        "beta_provider_1y": betas.exposure[:, PROVIDER],
    }


def _concentration(figures: PortfolioFigures) -> dict[str, Any]:
    concentration = figures.concentration
    return {
        "sector_exposure": _sector_documents(figures),
        "hhi": concentration.hhi,
        "effective_num_positions": concentration.effective_positions,
        "top_3_concentration": concentration.top_3,
        "top_10_concentration": concentration.top_10,
    }


def _sector_documents(figures: PortfolioFigures) -> Text:
    names, weights = figures.sectors.names, round_half_away(figures.sectors.weights, 6)
    documents = [
        json.dumps(dict(zip(names, row, strict=True)), separators=(",", ":"))
        for row in weights.tolist()
    ]
    known = figures.holdings.occupied & np.isfinite(weights).all(axis=1) & bool(names)
    return Text(np.where(known, np.arange(figures.days), -1), documents)
