"""A portfolio's figures → the rows of each table, ready to copy."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.calculations.factors import (
    FACTOR_NAMES,
    INTEREST_RATE_BETA_NAME,
    MARKET_BETA_NAME,
    PROVIDER_BETA_NAME,
    SHOCK_NAMES,
)
from app.calculations.rounding import round_half_away
from app.calculations.stress import MIN_STRESS_RETURNS, shocked_returns
from ops.backfill.binary_copy import Text, time_ordered_uuids
from ops.backfill.inputs import BatchInputs
from ops.backfill.portfolio_block import (
    CORRELATION_MIN_VALUE,
    CORRELATION_MIN_WEIGHT,
    PortfolioFigures,
)
from ops.backfill.positions import uuid_bytes
from ops.backfill.snapshot_rows import snapshots
from ops.backfill.table_rows import TableRows, label_codes, table_rows

Indices = NDArray[np.intp]
CORRELATION_WINDOW_LABEL = 90
CLUSTER_THRESHOLD = 0.7
_EXPOSURE_NAMES = (*FACTOR_NAMES, MARKET_BETA_NAME, PROVIDER_BETA_NAME, INTEREST_RATE_BETA_NAME)


def all_rows(figures: PortfolioFigures, batch: BatchInputs) -> list[TableRows]:
    """The rows of every table, parents before children."""
    builders: tuple[Callable[[PortfolioFigures, BatchInputs], list[TableRows]], ...] = (
        snapshots,
        _market_betas,
        _interest_rate_betas,
        _volatility,
        _position_exposures,
        _portfolio_exposures,
        _correlations,
        _stress,
    )
    return [rows for builder in builders for rows in builder(figures, batch)]


def _days(batch: BatchInputs, figures: PortfolioFigures, day: Indices) -> NDArray[np.datetime64]:
    return batch.prices.dates[figures.rows[day]]


def _position_days(figures: PortfolioFigures, table: NDArray[Any]) -> tuple[Indices, Indices]:
    """(day, position) of the open, listed positions whose symbol has a figure in (D, S)."""
    holdings = figures.holdings
    has = holdings.open & holdings.listed & np.isfinite(table[:, holdings.column])
    position, day = np.nonzero(has.T)
    return day, position


def _market_betas(figures: PortfolioFigures, batch: BatchInputs) -> list[TableRows]:
    betas = figures.figures.market
    day, position = _position_days(figures, betas.beta)
    at = (day, figures.holdings.column[position])
    values = {
        "portfolio_id": figures.portfolio_id,
        "position_id": figures.inputs.positions.ids[position],
        "calc_date": _days(batch, figures, day),
        **{column: figure[at] for column, figure in vars(betas).items()},
    }
    return [table_rows("position_market_betas", day, values)]


def _interest_rate_betas(figures: PortfolioFigures, batch: BatchInputs) -> list[TableRows]:
    betas = figures.figures.interest_rate
    day, position = _position_days(figures, betas.beta)
    public = figures.inputs.positions.in_class("PUBLIC")
    day, position = day[public[position]], position[public[position]]
    at = (day, figures.holdings.column[position])
    values = {
        "portfolio_id": figures.portfolio_id,
        "position_id": figures.inputs.positions.ids[position],
        "calculation_date": _days(batch, figures, day),
        "ir_beta": betas.beta[at],
        "r_squared": betas.r_squared[at],
    }
    return [table_rows("position_interest_rate_betas", day, values)]


def _volatility(figures: PortfolioFigures, batch: BatchInputs) -> list[TableRows]:
    positions, found = figures.inputs.positions, figures.figures.volatility
    column = np.array([batch.prices.column(name) for name in positions.volatility_symbols], np.intp)
    has = figures.holdings.open & figures.holdings.listed
    has &= np.isfinite(found.realized_21d[:, column])
    position, day = np.nonzero(has.T)
    at = (day, column[position])
    values = {
        "position_id": positions.ids[position],
        "calculation_date": _days(batch, figures, day),
        "realized_vol_21d": found.realized_21d[at],
        "realized_vol_63d": found.realized_63d[at],
        "vol_daily": found.daily[at],
        "vol_weekly": found.weekly[at],
        "vol_monthly": found.monthly[at],
        "expected_vol_21d": found.expected_21d[at],
        "vol_trend": label_codes(found.trend[at]),
        "vol_trend_strength": found.trend_strength[at],
        "vol_percentile": found.percentile[at],
        "observations": found.observations[at],
        "model_r_squared": found.model_r_squared[at],
    }
    return [table_rows("position_volatility", day, values)]


def _position_exposures(figures: PortfolioFigures, batch: BatchInputs) -> list[TableRows]:
    betas = figures.figures.factors.values[:, figures.holdings.column]
    eligible = figures.holdings.valued & figures.inputs.positions.factor_eligible
    has = eligible[:, :, None] & np.isfinite(betas)
    position, factor, day = np.nonzero(has.transpose(1, 2, 0))
    factors = uuid_bytes([batch.factor_ids[name] for name in FACTOR_NAMES])
    values = {
        "position_id": figures.inputs.positions.ids[position],
        "factor_id": factors[factor],
        "calculation_date": _days(batch, figures, day),
        "exposure_value": betas[day, position, factor],
        "quality_flag": "full_history",
    }
    return [table_rows("position_factor_exposures", day, values)]


def _portfolio_exposures(figures: PortfolioFigures, batch: BatchInputs) -> list[TableRows]:
    betas = figures.betas
    factor, day = np.nonzero(np.isfinite(betas.exposure).T)
    factors = uuid_bytes([batch.factor_ids[name] for name in _EXPOSURE_NAMES])
    values = {
        "portfolio_id": figures.portfolio_id,
        "factor_id": factors[factor],
        "calculation_date": _days(batch, figures, day),
        "exposure_value": betas.exposure[day, factor],
        "exposure_dollar": betas.dollars[day, factor],
    }
    return [table_rows("factor_exposures", day, values)]


def _correlations(figures: PortfolioFigures, batch: BatchInputs) -> list[TableRows]:
    blocks = figures.correlations.blocks
    if not blocks:
        return []
    day = np.concatenate([block.days for block in blocks])
    sizes = [len(block.symbols) for block in blocks]
    included = np.repeat(sizes, [len(block.days) for block in blocks])
    excluded = figures.correlations.filtered_out[day] + np.concatenate([b.excluded for b in blocks])
    ids = time_ordered_uuids(len(day))
    calculations = {
        "id": ids,
        "portfolio_id": figures.portfolio_id,
        "duration_days": CORRELATION_WINDOW_LABEL,
        "calculation_date": _days(batch, figures, day),
        "overall_correlation": np.concatenate([block.overall for block in blocks]),
        "correlation_concentration_score": 0.0,
        "effective_positions": np.concatenate([b.effective_positions for b in blocks]),
        "data_quality": "sufficient",
        "min_position_value": CORRELATION_MIN_VALUE,
        "min_portfolio_weight": CORRELATION_MIN_WEIGHT,
        "filter_mode": "both",
        "correlation_threshold": CLUSTER_THRESHOLD,
        "positions_included": included,
        "positions_excluded": excluded,
    }
    return [table_rows("correlation_calculations", day, calculations), _pairs(blocks, ids, batch)]


def _pairs(blocks: list[Any], ids: NDArray[np.uint8], batch: BatchInputs) -> TableRows:
    """All ordered pairs, self pairs included, calculation by calculation."""
    first, second, owner, correlation, points, significance, day = ([] for _ in range(7))
    offset = 0
    for block in blocks:
        n, count = len(block.symbols), len(block.days)
        first.append(np.tile(np.repeat(block.symbols, n), count))
        second.append(np.tile(block.symbols, n * count))
        owner.append(np.repeat(np.arange(offset, offset + count), n * n))
        correlation.append(block.matrix.ravel())
        significance.append(block.significance.ravel())
        points.append(np.repeat(block.data_points, n * n))
        day.append(np.repeat(block.days, n * n))
        offset += count
    symbols = batch.prices.symbols
    values = {
        "correlation_calculation_id": ids[np.concatenate(owner)],
        "symbol_1": Text(np.concatenate(first), symbols),
        "symbol_2": Text(np.concatenate(second), symbols),
        "correlation_value": np.concatenate(correlation),
        "data_points": np.concatenate(points),
        "statistical_significance": np.concatenate(significance),
    }
    return table_rows("pairwise_correlations", np.concatenate(day), values)


def _stress(figures: PortfolioFigures, batch: BatchInputs) -> list[TableRows]:
    exposed = np.isfinite(figures.betas.exposure).any(axis=1)
    returns = np.where(exposed, figures.figures.etf_observations, 0)
    usable = np.repeat(returns[:, None] >= MIN_STRESS_RETURNS, len(batch.scenarios), axis=1)
    day, scenario = np.nonzero(usable)
    direct = round_half_away(figures.stress_direct[day, scenario], 2)
    correlated = round_half_away(figures.stress_correlated[day, scenario], 2)
    values = {
        "portfolio_id": figures.portfolio_id,
        "scenario_id": uuid_bytes([s.id for s in batch.scenarios])[scenario],
        "calculation_date": _days(batch, figures, day),
        "direct_pnl": direct,
        "correlated_pnl": correlated,
        "correlation_effect": correlated - direct,
        "factor_impacts": Text(np.arange(len(day)), _impacts(figures, batch, day, scenario)),
        "calculation_metadata": Text(np.arange(len(day)), _metadata(figures, batch, day)),
    }
    return [table_rows("stress_test_results", day, values)]


def _impacts(
    figures: PortfolioFigures, batch: BatchInputs, day: Indices, scenario: Indices
) -> list[str]:
    """Per shocked factor its shock, its direct profit or loss, and the exposure it hit."""
    dollars = np.nan_to_num(figures.betas.stress_dollars)
    shocks = batch.shocks
    pnl = round_half_away(dollars[:, None, :] * shocked_returns(shocks), 2).tolist()
    exposure = round_half_away(dollars, 2).tolist()
    shocked = [
        [(f, f'"{SHOCK_NAMES[f]}":{{"shock_pct":{shock!r}') for f, shock in enumerate(row) if shock]
        for row in shocks.tolist()
    ]
    return [
        "{"
        + ",".join(
            f'{head},"direct_pnl":{pnl[d][s][f]!r},"exposure":{exposure[d][f]!r}}}'
            for f, head in shocked[s]
        )
        + "}"
        for d, s in zip(day.tolist(), scenario.tolist(), strict=True)
    ]


def _metadata(figures: PortfolioFigures, batch: BatchInputs, day: Indices) -> list[str]:
    tails = [
        f', "correlation_date": "{date}", "data_days": {observations}}}'
        for date, observations in zip(
            batch.prices.dates[figures.rows], figures.figures.etf_observations, strict=True
        )
    ]
    heads = [
        json.dumps({"scenario_name": s.name, "category": s.category})[:-1] for s in batch.scenarios
    ]
    return [head + tails[d] for d in dict.fromkeys(day.tolist()) for head in heads]
