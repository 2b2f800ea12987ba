"""Figures of positions and symbols against textbook references, to the stored place."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from app.calculations.factors import FACTOR_NAMES
from tests.integration.backfill.book import DAYS, LAST
from tests.integration.backfill.market import SHORT_HISTORY
from tests.integration.backfill.reference import (
    CHECKED,
    PROFILES,
    SHARES,
    SIXTY,
    SPREADS,
    STYLES,
    Reference,
    agrees,
    compare,
    factor_betas,
    index_fit,
    spread_fits,
    volatility,
)


@pytest.mark.parametrize("day", CHECKED)
def test_position_factor_exposures(reference: Reference, day: date) -> None:
    names = reference.book.frame("SELECT id, name FROM factor_definitions").set_index("id")["name"]
    rows = reference.by_symbol("position_factor_exposures", day)
    stored = {
        (row["symbol"], names[row["factor_id"]]): row["exposure_value"]
        for row in rows.to_dict("records")
    }
    expected = {
        (symbol, factor): beta
        for symbol in SHARES
        for factor, beta in factor_betas(reference, symbol, day).items()
    }
    assert stored.keys() == expected.keys()
    assert [
        key
        for key, beta in expected.items()
        if not agrees(stored[key], beta, "position_factor_exposures", "exposure_value")
    ] == []
    assert set(rows["quality_flag"]) == {"full_history"}


@pytest.mark.parametrize(
    ("symbol", "day", "rows"),
    [
        (SHORT_HISTORY, DAYS[7], 0),
        (SHORT_HISTORY, DAYS[8], 6),
        (SIXTY, DAYS[7], 6),
        (SIXTY, DAYS[8], 10),
        ("GONE", LAST, 10),
    ],
)
def test_a_symbol_needs_thirty_returns_for_styles_and_sixty_for_spreads(
    reference: Reference, symbol: str, day: date, rows: int
) -> None:
    exposures = reference.by_symbol("position_factor_exposures", day)
    betas = reference.by_symbol("position_market_betas", day, "calc_date")
    assert (exposures["symbol"] == symbol).sum() == rows
    assert (betas["symbol"] == symbol).sum() == (rows > 0)


@pytest.mark.parametrize("day", CHECKED)
def test_position_market_betas(reference: Reference, day: date) -> None:
    stored = reference.by_symbol("position_market_betas", day, "calc_date").set_index("symbol")
    fits = {symbol: index_fit(reference, symbol, day, "SPY") for symbol in SHARES}
    assert set(stored.index) == {symbol for symbol, fit in fits.items() if fit is not None}
    for symbol, row in stored.to_dict("index").items():
        fit = fits[symbol]
        expected = {
            "beta": float(np.clip(fit.slope, -5, 5)),
            "alpha": float(fit.intercept),
            "r_squared": float(fit.rvalue**2),
            "std_error": float(fit.stderr),
            "p_value": float(fit.pvalue),
            "observations": len(reference.returns(day, 120, symbol, "SPY")),
            "window_days": 90,
            "method": "OLS_SIMPLE",
            "market_index": "SPY",
        }
        assert compare("position_market_betas", row, expected) == []


@pytest.mark.parametrize("day", CHECKED)
def test_position_interest_rate_betas(reference: Reference, day: date) -> None:
    stored = reference.by_symbol("position_interest_rate_betas", day).set_index("symbol")
    fits = {symbol: index_fit(reference, symbol, day, "TLT") for symbol in SHARES}
    assert set(stored.index) == {symbol for symbol, fit in fits.items() if fit is not None}
    for symbol, row in stored.to_dict("index").items():
        fit = fits[symbol]
        expected = {"ir_beta": float(fit.slope), "r_squared": float(fit.rvalue**2)}
        assert compare("position_interest_rate_betas", row, expected) == []


@pytest.mark.parametrize("day", CHECKED)
def test_position_volatility(reference: Reference, day: date) -> None:
    stored = reference.by_symbol("position_volatility", day).set_index("symbol")
    underlying = {symbol: symbol for symbol in SHARES} | {"OPT": "S00"}
    series = {s: reference.returns(day, 365, of)[of] for s, of in underlying.items()}
    assert set(stored.index) == {symbol for symbol, moves in series.items() if len(moves) >= 63}
    for symbol, row in stored.to_dict("index").items():
        found = volatility(series[symbol])
        expected = {
            "realized_vol_21d": found["realized_21d"],
            "realized_vol_63d": found["realized_63d"],
            "vol_daily": found["daily"],
            "vol_weekly": found["weekly"],
            "vol_monthly": found["realized_21d"],
            "expected_vol_21d": found["expected_21d"],
            "model_r_squared": found["model_r_squared"],
            "vol_trend": found["trend"],
            "vol_trend_strength": found["strength"],
            "vol_percentile": found["percentile"],
            "observations": found["observations"],
        }
        assert compare("position_volatility", row, expected) == []


def test_symbol_factor_exposures(reference: Reference) -> None:
    query = (
        "SELECT e.*, f.name FROM symbol_factor_exposures AS e "
        "JOIN factor_definitions AS f ON f.id = e.factor_id"
    )
    rows = reference.book.frame(query).to_dict("records")
    stored = {(row["symbol"], row["name"]): row for row in rows}
    betas = {symbol: factor_betas(reference, symbol, LAST) for symbol in SHARES}
    assert stored.keys() == {(symbol, name) for symbol in SHARES for name in betas[symbol]}
    for (symbol, name), row in stored.items():
        expected = {
            "beta_value": float(betas[symbol][name]),
            "calculation_date": LAST,
            "quality_flag": "full_history",
            **_fit_of(reference, symbol, style=name in STYLES),
        }
        assert compare("symbol_factor_exposures", row, expected) == []


def _fit_of(reference: Reference, symbol: str, *, style: bool) -> dict[str, Any]:
    if not style:
        fits = spread_fits(reference, symbol, LAST)
        etfs = {etf for pair in SPREADS.values() for etf in pair} - {symbol}
        return {
            "r_squared": float(np.mean([fit.rvalue**2 for fit in fits.values()])),
            "observations": len(reference.returns(LAST, 210, symbol, *etfs)),
            "calculation_method": "spread_regression",
            "regularization_alpha": None,
            "regression_window_days": 180,
        }
    etfs = list(STYLES.values())
    moves = reference.returns(LAST, 120, symbol, *[e for e in etfs if e != symbol])
    standard = StandardScaler().fit_transform(moves[etfs])
    fit = Ridge(alpha=1.0).fit(standard, moves[symbol])
    return {
        "r_squared": float(fit.score(standard, moves[symbol])),
        "observations": len(moves),
        "calculation_method": "ridge_regression",
        "regularization_alpha": 1.0,
        "regression_window_days": 90,
    }


def test_symbol_daily_metrics(reference: Reference) -> None:
    rows = reference.book.frame("SELECT * FROM symbol_daily_metrics").to_dict("records")
    stored = {row["symbol"]: row for row in rows}
    assert stored.keys() == SHARES.keys()
    columns = [
        *("factor_value", "factor_growth", "factor_momentum", "factor_quality", "factor_size"),
        *("factor_low_vol", "factor_growth_value_spread", "factor_momentum_spread"),
        *("factor_size_spread", "factor_quality_spread"),
    ]
    for symbol, row in stored.items():
        betas = factor_betas(reference, symbol, LAST)
        profile = PROFILES.get(symbol, {})
        price = float(reference.prices.loc[LAST, symbol])
        complete = 60 * np.isfinite(price) + 20 * (symbol in PROFILES) + 20 * (len(betas) == 10)
        expected = {
            "metrics_date": LAST,
            "current_price": price,
            **{name: _return_since(reference, symbol, day) for name, day in _REFERENCES.items()},
            **{
                column: float(betas.get(name, np.nan))
                for column, name in zip(columns, FACTOR_NAMES, strict=True)
            },
            "sector": profile.get("sector"),
            "industry": profile.get("industry"),
            "company_name": f"{symbol} Ünlimited" if profile else None,
            "market_cap": float(profile.get("market_cap", "nan")),
            # A ratio beyond numeric(10,4) is left out.
            "pe_ratio": float(profile.get("pe_ratio", "nan")) if symbol == "S01" else np.nan,
            "enterprise_value": None,
            "ps_ratio": None,
            "pb_ratio": None,
            "data_quality_score": float(complete),
        }
        assert compare("symbol_daily_metrics", row, expected) == []


_REFERENCES = {
    "return_1d": date(2025, 7, 21),
    "return_mtd": date(2025, 6, 30),
    "return_ytd": date(2024, 12, 31),
    "return_1m": date(2025, 6, 22),
    "return_3m": date(2025, 4, 23),
    "return_1y": date(2024, 7, 22),
}


def _return_since(reference: Reference, symbol: str, day: date) -> float:
    recent = reference.prices.loc[day - timedelta(days=10) : day, symbol].dropna()
    if recent.empty:
        return float("nan")
    return float(reference.prices.loc[LAST, symbol] / recent.iloc[-1] - 1)


def test_symbol_universe(reference: Reference) -> None:
    query = "SELECT * FROM symbol_universe"
    stored = reference.book.frame(query).set_index("symbol").to_dict("index")
    assert stored.keys() == SHARES.keys()
    assert stored["S00"]["sector"] == "Financial Services"
    assert all(row["is_active"] and row["asset_type"] == "equity" for row in stored.values())
    assert {row["first_seen_date"] for row in stored.values()} == {date(2025, 3, 3)}
    assert {row["last_seen_date"] for row in stored.values()} == {LAST}


def test_positions_show_the_last_close(reference: Reference) -> None:
    query = "SELECT * FROM positions WHERE symbol = ANY(%s)"
    for row in reference.book.frame(query, [list(SHARES)]).to_dict("records"):
        mark = Decimal(f"{reference.mark(row['symbol'], LAST):.4f}")
        cent = Decimal("0.01")
        assert row["last_price"] == mark
        assert row["market_value"] == (mark * row["quantity"]).quantize(cent, "ROUND_HALF_UP")
        assert row["unrealized_pnl"] == ((mark - row["entry_price"]) * row["quantity"]).quantize(
            cent, "ROUND_HALF_UP"
        )
    rest = "SELECT market_value FROM positions WHERE symbol IN ('OPT', 'HOUSE')"
    assert list(reference.book.frame(rest)["market_value"]) == [None, None]
