"""The symbols' own tables, for the last day of a range: universe, factor exposures, metrics."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import psycopg

from app.calculations.factor_betas import RIDGE_PENALTY
from app.calculations.factors import FACTOR_NAMES, RIDGE_FACTOR_NAMES
from app.calculations.symbol_metrics import data_quality_score, symbol_metrics
from ops.backfill.binary_copy import Text
from ops.backfill.inputs import BatchInputs, CompanyProfile, load_market
from ops.backfill.positions import uuid_bytes
from ops.backfill.symbol_figures import SymbolFigures, symbol_figures
from ops.backfill.table_rows import TableRows, label_codes, table_rows
from ops.backfill.writer import Guard, copy_rows
from ops.sql_files import statement

_STYLES = len(RIDGE_FACTOR_NAMES)
_SYMBOLS_AT_ONCE = 500
_METRIC_FACTORS = (
    "factor_value",
    "factor_growth",
    "factor_momentum",
    "factor_quality",
    "factor_size",
    "factor_low_vol",
    "factor_growth_value_spread",
    "factor_momentum_spread",
    "factor_size_spread",
    "factor_quality_spread",
)


def write_symbols(core: psycopg.Connection, day: date, guard: Guard) -> int:
    """Replace the symbols' rows by those of `day`; returns how many symbols are active. A day
    earlier than what the tables show already leaves them alone.

    Raises:
        BadInputError: factor definitions are missing.
        FencedOutError: a newer run has taken over (raised by `guard`).
    """
    with core.transaction():
        guard(core)
        newer = "SELECT FROM symbol_daily_metrics WHERE metrics_date > %s LIMIT 1"
        if core.execute(newer, [day]).fetchone() is not None:
            return len(_active_symbols(core))
        core.execute(statement("backfill/symbol_universe"), {"day": day})
        active = _active_symbols(core)
        core.execute("DELETE FROM symbol_factor_exposures WHERE calculation_date = %s", [day])
        core.execute("DELETE FROM symbol_daily_metrics")
        for start in range(0, len(active), _SYMBOLS_AT_ONCE):
            for rows in _rows(core, active[start : start + _SYMBOLS_AT_ONCE], day):
                copy_rows(core, rows.table, rows.columns)
    return len(active)


def _rows(core: psycopg.Connection, symbols: list[str], day: date) -> Iterator[TableRows]:
    batch = load_market(core, symbols, day, day)
    figures = symbol_figures(batch.prices, batch.prices.rows_of([day]))
    yield _exposures(batch, figures, symbols)
    yield _metrics(batch, figures, symbols)


def _active_symbols(core: psycopg.Connection) -> list[str]:
    rows = core.execute("SELECT symbol FROM symbol_universe WHERE is_active ORDER BY symbol")
    return [row[0] for row in rows.fetchall()]


def _columns(batch: BatchInputs, symbols: list[str]) -> np.ndarray[Any, np.dtype[np.intp]]:
    return np.array([batch.prices.column(symbol) for symbol in symbols], np.intp)


def _exposures(batch: BatchInputs, figures: SymbolFigures, symbols: list[str]) -> TableRows:
    column, factors = _columns(batch, symbols), figures.factors
    betas = factors.values[-1, column]
    symbol, factor = np.nonzero(np.isfinite(betas))
    at = column[symbol]
    style = factor < _STYLES
    ids = uuid_bytes([batch.factor_ids[name] for name in FACTOR_NAMES])
    spread_fit = factors.spread_r_squared[-1].mean(axis=1)
    values: Mapping[str, Any] = {
        "symbol": Text(symbol, symbols),
        "factor_id": ids[factor],
        "calculation_date": batch.prices.dates[figures.rows[-1]],
        "beta_value": betas[symbol, factor],
        "r_squared": np.where(style, factors.ridge_r_squared[-1, at], spread_fit[at]),
        "observations": np.where(
            style, factors.ridge_observations[-1, at], factors.spread_observations[-1, at]
        ),
        "quality_flag": "full_history",
        "calculation_method": Text(
            np.where(style, 0, 1), ["ridge_regression", "spread_regression"]
        ),
        "regularization_alpha": np.where(style, RIDGE_PENALTY, np.nan),
        "regression_window_days": np.where(style, 90, 180),
    }
    return table_rows("symbol_factor_exposures", symbol, values)


def _metrics(batch: BatchInputs, figures: SymbolFigures, symbols: list[str]) -> TableRows:
    column = _columns(batch, symbols)
    found = symbol_metrics(
        batch.prices.closes[:, column], batch.prices.dates, int(figures.rows[-1])
    )
    betas = figures.factors.values[-1, column]
    profiled = np.array([symbol in batch.profiles for symbol in symbols], np.bool_)
    values: Mapping[str, Any] = {
        "symbol": Text(np.arange(len(symbols)), symbols),
        "metrics_date": batch.prices.dates[figures.rows[-1]],
        **vars(found),
        **_profile_columns(batch, symbols),
        **{name: betas[:, number] for number, name in enumerate(_METRIC_FACTORS)},
        "data_quality_score": data_quality_score(found, profiled, np.isfinite(betas).all(axis=1)),
    }
    return table_rows("symbol_daily_metrics", np.arange(len(symbols)), values).without_misfits()


def _profile_columns(batch: BatchInputs, symbols: list[str]) -> dict[str, Any]:
    rows = [batch.profiles.get(symbol, CompanyProfile()) for symbol in symbols]
    texts = {
        name: label_codes(np.array([getattr(row, name) for row in rows], dtype=object))
        for name in ("sector", "industry", "company_name")
    }
    numbers = {
        name: np.array([getattr(row, name) for row in rows], np.float64)
        for name in ("market_cap", "pe_ratio")
    }
    return {**texts, **numbers}
