"""A backfilled book beside references by pandas, SciPy and scikit-learn on the same prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import StandardScaler

from app.models import Base
from tests.integration.backfill.book import DAYS, Book
from tests.integration.backfill.market import SHORT_HISTORY

STYLES = {"Value": "VTV", "Growth": "VUG", "Momentum": "MTUM", "Quality": "QUAL", "Size": "IWM"}
STYLES |= {"Low Volatility": "USMV"}
SPREADS = {
    "Growth-Value Spread": ("VUG", "VTV"),
    "Momentum Spread": ("MTUM", "SPY"),
    "Size Spread": ("IWM", "SPY"),
    "Quality Spread": ("QUAL", "SPY"),
}
STRESS_ETFS = ["SPY", *STYLES.values(), "TLT"]

HOLE, SIXTY = "S11", "S10"
EQUITY = 2_000_000
SHARES: Mapping[str, float] = {
    "S00": 3000,
    "S01": -1200,
    "S02": 800,
    SIXTY: 400,
    HOLE: 700,
    SHORT_HISTORY: 900,
    "GONE": 500,
    "VTV": 600,
    "S09": 1,
}
CHECKED = (DAYS[0], DAYS[7], DAYS[8], DAYS[14])
"""On DAYS[7] SHORT_HISTORY has 29 returns and SIXTY 59, on DAYS[8] one more each."""

PROFILES: Mapping[str, Mapping[str, Any]] = {
    "S00": {"sector": "Financial Services", "beta": "1.2345", "industry": "Banks"},
    "S01": {"sector": "Technology", "beta": 0, "market_cap": "123456789.12", "pe_ratio": "33.21"},
    "S02": {"sector": None, "beta": None},
    "VTV": {"sector": "Technology", "is_etf": True, "beta": "0.9"},
    HOLE: {"sector": "Technology", "pe_ratio": "9999999"},
}
SECTOR = {"S00": "Financials", "S01": "Technology", "VTV": "ETFs", HOLE: "Technology"}


@dataclass(frozen=True)
class Reference:
    """A backfilled book, and the prices that it holds."""

    book: Book
    portfolio: UUID
    prices: pd.DataFrame

    def window(self, day: date, days: int, *symbols: str) -> pd.DataFrame:
        """The dates on which all symbols have a price, in so many calendar days up to the day."""
        part = self.prices.loc[day - timedelta(days=days) : day, list(symbols)]
        return part.dropna()

    def returns(self, day: date, days: int, *symbols: str) -> pd.DataFrame:
        return self.window(day, days, *symbols).pct_change().iloc[1:]

    def mark(self, symbol: str, day: date) -> float:
        return float(self.prices.loc[:day, symbol].dropna().iloc[-1])

    def value(self, symbol: str, day: date) -> float:
        return SHARES[symbol] * self.mark(symbol, day)

    def equity(self, day: date) -> float:
        return float(self.book.snapshots(self.portfolio).loc[day, "equity_balance"])

    def by_symbol(self, table: str, day: date, column: str = "calculation_date") -> pd.DataFrame:
        query = (
            f"SELECT p.symbol, t.* FROM {table} AS t JOIN positions AS p ON p.id = t.position_id "
            f"WHERE t.{column} = %s"
        )
        return self.book.frame(query, [day])


def build_reference(book: Book) -> Reference:
    """Fill the book and backfill it."""
    prices = _with_holes(book)
    for symbol, columns in PROFILES.items():
        book.execute(
            "INSERT INTO company_profiles (symbol, company_name, sector, industry, beta, is_etf,"
            " is_fund, market_cap, pe_ratio, data_source, last_updated, created_at, updated_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, false, %s, %s, 'test', now(), now(), now())",
            [symbol, f"{symbol} Ünlimited", *map(columns.get, _PROFILE_COLUMNS)],
        )
    portfolio = book.portfolio("reference", EQUITY)
    for symbol, shares in SHARES.items():
        book.position(portfolio, symbol, shares)
    book.option(portfolio, "OPT", 4, expiration_date=date(2025, 12, 19))
    book.private(portfolio, "HOUSE", 250_000)
    book.run()
    return Reference(book, portfolio, prices)


_PROFILE_COLUMNS = ("sector", "industry", "beta", "is_etf", "market_cap", "pe_ratio")


def _with_holes(book: Book) -> pd.DataFrame:
    prices = book.closes.copy()
    rows = list(prices.index)
    for symbol, returns in ((SHORT_HISTORY, 29), (SIXTY, 59)):
        first = rows[rows.index(DAYS[7]) - returns]
        prices.loc[prices.index < first, symbol] = np.nan
        book.no_prices("symbol = %s AND date < %s", symbol, first)
    for day in (date(2025, 3, 12), date(2025, 6, 20), DAYS[6]):
        prices.loc[day, HOLE] = np.nan
        book.set_close(HOLE, day, None)
    return prices


def scale_of(table: str, column: str) -> int:
    scale = Base.metadata.tables[table].c[column].type.scale
    assert isinstance(scale, int)
    return scale


def agrees(stored: Decimal | None, expected: float, table: str, column: str) -> bool:
    """Equal to the last stored place: a NaN is NULL, and the last place may be a tie."""
    if stored is None or not np.isfinite(expected):
        return stored is None and not np.isfinite(expected)
    return abs(float(stored) - expected) <= 0.5 * 10.0 ** -scale_of(table, column) + 1e-9


def compare(table: str, stored: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """What differs between a stored row and the reference."""
    return [
        f"{name}: {stored[name]} instead of {value}"
        for name, value in expected.items()
        if not (
            agrees(stored[name], value, table, name)
            if isinstance(value, float)
            else stored[name] == value
        )
    ]


def ridge_betas(reference: Reference, symbol: str, day: date) -> dict[str, float]:
    etfs = list(STYLES.values())
    moves = reference.returns(day, 120, symbol, *[e for e in etfs if e != symbol])
    if len(moves) < 30:
        return {}
    scaler = StandardScaler().fit(moves[etfs])
    fit = Ridge(alpha=1.0).fit(scaler.transform(moves[etfs]), moves[symbol])
    return dict(zip(STYLES, np.clip(fit.coef_ / scaler.scale_, -5, 5), strict=True))


def spread_fits(reference: Reference, symbol: str, day: date) -> dict[str, Any]:
    etfs = sorted({etf for pair in SPREADS.values() for etf in pair} - {symbol})
    moves = reference.returns(day, 210, symbol, *etfs)
    if len(moves) < 60:
        return {}
    return {
        name: stats.linregress(moves[long] - moves[short], moves[symbol])
        for name, (long, short) in SPREADS.items()
    }


def factor_betas(reference: Reference, symbol: str, day: date) -> dict[str, float]:
    spreads = spread_fits(reference, symbol, day)
    return {
        **ridge_betas(reference, symbol, day),
        **{name: float(np.clip(fit.slope, -5, 5)) for name, fit in spreads.items()},
    }


def index_fit(reference: Reference, symbol: str, day: date, index: str) -> Any:
    """The line of a symbol on an index; None with fewer than 30 returns."""
    moves = reference.returns(day, 120, symbol, index)
    return stats.linregress(moves[index], moves[symbol]) if len(moves) >= 30 else None


def volatility(returns: pd.Series) -> dict[str, Any]:
    """Statistics of daily returns, by the textbook."""
    year = np.sqrt(252)
    weekly, monthly = returns.rolling(5).std() * year, returns.rolling(21).std() * year
    today = pd.concat([returns.abs() * year, weekly, monthly], axis=1).dropna().to_numpy()
    target = (returns.abs() * year).to_numpy()[-len(today) + 1 :]
    model = LinearRegression().fit(today[:-1], target)
    line = stats.linregress(np.arange(21), monthly.to_numpy()[-21:])
    moving = abs(line.slope) > 0.001 and line.rvalue**2 > 0.3
    below = float((monthly.dropna() < monthly.iloc[-1]).mean())
    return {
        "realized_21d": float(monthly.iloc[-1]),
        "realized_63d": float(returns.tail(63).std() * year),
        "daily": float(today[-1, 0]),
        "weekly": float(weekly.iloc[-1]),
        "expected_21d": max(0.0, float(model.predict(today[-1:])[0])),
        "model_r_squared": float(model.score(today[:-1], target)),
        "trend": ("increasing" if line.slope > 0 else "decreasing") if moving else "stable",
        "strength": float(line.rvalue**2),
        "percentile": below if len(returns) >= 240 else np.nan,
        "observations": len(returns),
    }
