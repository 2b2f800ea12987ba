"""What a portfolio is made of now: sectors against the benchmark, and concentration."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import ARRAY, String, any_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.book import current_book, gross_by_symbol
from app.analytics.envelope import Envelope, Gap, envelope, nothing
from app.calculations.concentration import concentration as concentration_of
from app.calculations.sectors import UNCLASSIFIED, benchmark_name, sector_of
from app.holdings import Holding
from app.models import CompanyProfile
from app.ownership import OwnedPortfolio
from app.sql_files import statement

BENCHMARK = "SP500"
_CONCENTRATED, _MODERATE = 2500, 1500

_NO_POSITIONS = Gap("no_positions", "NO_VALUED_POSITIONS", "No open position has a price", False)
_NO_EQUITY = Gap("no_equity", "NO_EQUITY", "The portfolio's equity is not positive", False)
_NO_BENCHMARK = Gap(
    "no_benchmark", "NO_BENCHMARK_WEIGHTS", f"No sector weights of {BENCHMARK} are known", False
)


class SectorComparison(TypedDict):
    """Gross value by sector over equity (a leveraged book exceeds 1), the benchmark's weights, and
    the difference."""

    portfolio_weights: dict[str, float]
    benchmark_weights: dict[str, float]
    over_underweight: dict[str, float]
    largest_overweight: str | None
    largest_underweight: str | None


class Sectors(SectorComparison):
    """Options and private assets are Unclassified. Dollars are gross; counts are of all open
    positions, priced or not."""

    total_portfolio_value: float
    positions_by_sector: dict[str, int]
    unclassified_value: float
    unclassified_count: int


class SectorExposure(Envelope):
    """Sectors of what is held now."""

    data: Sectors | None


class ConcentrationFigures(TypedDict):
    """hhi runs up to 10,000 for a single holding; effective_num_positions is how many equal
    holdings would have it; concentrations are from 0 to 1."""

    hhi: float
    effective_num_positions: float
    top_3_concentration: float
    top_10_concentration: float


class ConcentrationMetrics(ConcentrationFigures):
    """Shares of gross value by symbol, largest first."""

    total_positions: int
    position_weights: dict[str, float]


class Concentration(Envelope):
    """Concentration of what is held now."""

    data: ConcentrationMetrics | None


_PROFILES = select(
    CompanyProfile.symbol,
    CompanyProfile.sector,
    or_(CompanyProfile.is_etf.is_(True), CompanyProfile.is_fund.is_(True)),
).where(CompanyProfile.symbol == any_(bindparam("symbols", type_=ARRAY(String))))


async def sector_exposure(session: AsyncSession, portfolio: OwnedPortfolio) -> SectorExposure:
    """Sector weights now, against the benchmark."""
    book = await current_book(session, portfolio)
    valued = any(holding.value for holding in book.holdings)
    if not valued or book.equity is None or book.equity <= 0:
        gap = _NO_EQUITY if valued else _NO_POSITIONS
        return {**await nothing(session, portfolio, gap), "data": None}
    benchmark, asof = await benchmark_weights(session, book.day)
    if asof is None:
        return {**await nothing(session, portfolio, _NO_BENCHMARK), "data": None}
    sectors = await sectors_of(session, book.holdings)
    unknown = sum(sector is None for sector in sectors)
    head = envelope(
        portfolio,
        book.day,
        benchmark=BENCHMARK,
        benchmark_date=asof.isoformat(),
        equity=book.equity,
        positions_without_sector=unknown,
    )
    return {**head, "data": _data(book.holdings, sectors, benchmark, book.equity)}


async def benchmark_weights(
    session: AsyncSession, day: date
) -> tuple[dict[str, float], date | None]:
    """The newest weights of the benchmark that are not after a day, and of when they are."""
    asked = {"benchmark": BENCHMARK, "day": day}
    rows = (await session.execute(statement("analytics/benchmark_weights"), asked)).all()
    weights = {benchmark_name(row.sector): row.weight for row in rows}
    return weights, rows[0].asof_date if rows else None


async def sectors_of(session: AsyncSession, held: Sequence[Holding]) -> list[str | None]:
    """The sector of each holding; None for a stock of unknown sector."""
    symbols = sorted({holding.symbol for holding in held})
    rows = await session.execute(_PROFILES, {"symbols": symbols})
    profiles: dict[str, tuple[str | None, bool]] = {row[0]: (row[1], row[2]) for row in rows}
    return [
        sector_of(holding.investment_class, sector, is_fund=is_fund)
        for holding in held
        for sector, is_fund in [profiles.get(holding.symbol, (None, False))]
    ]


def _data(
    held: Sequence[Holding],
    sectors: Sequence[str | None],
    benchmark: Mapping[str, float],
    equity: float,
) -> Sectors:
    gross, counts = by_sector(held, sectors)
    return {
        **compared(gross, benchmark, equity),
        "total_portfolio_value": round(sum(abs(holding.value) for holding in held), 2),
        "positions_by_sector": counts,
        "unclassified_value": round(gross.get(UNCLASSIFIED, 0.0), 2),
        "unclassified_count": counts.get(UNCLASSIFIED, 0),
    }


def compared(
    gross: Mapping[str, float], benchmark: Mapping[str, float], equity: float
) -> SectorComparison:
    """Gross dollars by sector against the benchmark's weights."""
    weights = {sector: value / equity for sector, value in gross.items() if value}
    names = sorted({*weights, *benchmark})
    excess = {name: weights.get(name, 0.0) - benchmark.get(name, 0.0) for name in names}
    return {
        "portfolio_weights": weights,
        "benchmark_weights": dict(benchmark),
        "over_underweight": excess,
        "largest_overweight": max(excess, key=excess.__getitem__, default=None),
        "largest_underweight": min(excess, key=excess.__getitem__, default=None),
    }


def by_sector(
    held: Sequence[Holding], sectors: Sequence[str | None]
) -> tuple[dict[str, float], dict[str, int]]:
    """Gross dollars and number of positions of each sector, by name."""
    names = sorted({sector for sector in sectors if sector is not None})
    gross, counts = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)
    for holding, sector in zip(held, sectors, strict=True):
        if sector is not None:
            gross[sector] += abs(holding.value)
            counts[sector] += 1
    return gross, counts


async def concentration(session: AsyncSession, portfolio: OwnedPortfolio) -> Concentration:
    """How concentrated the book is now."""
    book = await current_book(session, portfolio)
    gross = gross_by_symbol(book.holdings)
    if not gross:
        return {**await nothing(session, portfolio, _NO_POSITIONS), "data": None}
    metrics = _metrics(gross, len(book.holdings))
    head = envelope(
        portfolio,
        book.day,
        calculation_method="market_value_weighted",
        interpretation=_interpretation(metrics["hhi"]),
    )
    return {**head, "data": metrics}


def _metrics(gross: Mapping[str, float], positions: int) -> ConcentrationMetrics:
    total = sum(gross.values())
    return {
        **concentration_figures(gross),
        "total_positions": positions,
        "position_weights": {symbol: value / total for symbol, value in gross.items()},
    }


def concentration_figures(gross: Mapping[str, float]) -> ConcentrationFigures:
    """Of gross dollars by symbol."""
    found: Any = concentration_of(np.array([list(gross.values())]))
    return {
        "hhi": float(found.hhi[0]),
        "effective_num_positions": float(found.effective_positions[0]),
        "top_3_concentration": float(found.top_3[0]),
        "top_10_concentration": float(found.top_10[0]),
    }


def _interpretation(hhi: float) -> str:
    if hhi > _CONCENTRATED:
        return f"Highly concentrated (HHI above {_CONCENTRATED})"
    if hhi > _MODERATE:
        return f"Moderately concentrated (HHI {_MODERATE} to {_CONCENTRATED})"
    return f"Well diversified (HHI up to {_MODERATE})"
