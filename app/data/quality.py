"""What a portfolio's price data is good for."""

from collections.abc import Collection, Mapping, Sequence
from typing import NotRequired

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.calculations.correlations import MIN_SHARED_RETURNS
from app.calculations.factor_betas import SPREAD_MIN_OBSERVATIONS
from app.calculations.volatility import MIN_RETURNS
from app.data.price_histories import (
    COMPLETE_CLOSES,
    NO_HISTORY,
    PriceHistory,
    newest_day,
    price_histories,
)
from app.data.prices import FACTOR_ETFS
from app.holdings import Holding, open_holdings
from app.json_response import utc_text
from app.models.base import utc_now
from app.ownership import OwnedPortfolio

PARTIAL_CLOSES = 30


class QualitySummary(TypedDict):
    """Positions by how much history they have; the coverage is in percent."""

    total_positions: int
    complete_data: int
    partial_data: int
    insufficient_data: int
    data_coverage_percent: float


class PartialHistory(TypedDict):
    """A symbol with some history."""

    symbol: str
    days_available: int
    days_missing: int


class InsufficientHistory(TypedDict):
    """A symbol with too little. The reason is no_prices (private assets, and options without a
    price), prices_ended or recent_listing."""

    symbol: str
    days_available: int
    reason: str


class SymbolsByHistory(TypedDict):
    """Each symbol once, whatever its lots."""

    complete_history: list[str]
    partial_history: list[PartialHistory]
    insufficient_data: list[InsufficientHistory]


class Feasibility(TypedDict):
    """Whether a calculation has positions enough, and how many take part."""

    feasible: bool
    positions_eligible: int
    positions_excluded: int


class OverlapFeasibility(Feasibility):
    """Of a calculation on shared days."""

    min_days_overlap: int


class HistoryFeasibility(Feasibility):
    """Of a calculation on each position's own days."""

    min_days_required: int


class CalculationFeasibility(TypedDict):
    """By calculation; correlations only when asked for."""

    correlation_matrix: NotRequired[OverlapFeasibility]
    factor_regression: HistoryFeasibility
    volatility_analysis: HistoryFeasibility


class EtfCoverage(TypedDict):
    """The factor ETFs by how much history they have."""

    complete: list[str]
    partial: list[str]
    missing: list[str]


class DataQuality(TypedDict):
    """The assessment, as of the newest day of the portfolio's prices."""

    portfolio_id: str
    assessment_date: str
    summary: QualitySummary
    position_data_quality: SymbolsByHistory
    calculation_feasibility: CalculationFeasibility
    factor_etf_coverage: NotRequired[EtfCoverage]
    last_update: str


async def data_quality(
    session: AsyncSession,
    portfolio: OwnedPortfolio,
    *,
    check_factors: bool = True,
    check_correlations: bool = True,
) -> DataQuality:
    """Count the usable closes behind every open position, and say what they suffice for."""
    held = await open_holdings(session, [portfolio.id])
    day = newest_day(held) or utc_now().date()
    symbols = {h.symbol for h in held if h.price_date is not None}
    known = await price_histories(session, symbols | set(FACTOR_ETFS.values()), day)
    # A private asset keeps no history even if somebody trades under its symbol.
    own = {symbol: known.get(symbol, NO_HISTORY) for symbol in symbols}
    found: DataQuality = {
        "portfolio_id": str(portfolio.id),
        "assessment_date": day.isoformat(),
        "summary": _summary(held, own),
        "position_data_quality": _by_history(held, own),
        "calculation_feasibility": _feasibility(held, own, check_correlations),
        "last_update": utc_text(utc_now()),
    }
    if check_factors:
        found["factor_etf_coverage"] = _coverage(FACTOR_ETFS.values(), known)
    return found


def _summary(held: Sequence[Holding], histories: Mapping[str, PriceHistory]) -> QualitySummary:
    each = [histories.get(h.symbol, NO_HISTORY) for h in held]
    complete = sum(history.complete for history in each)
    partial = sum(_partial(history) for history in each)
    return {
        "total_positions": len(held),
        "complete_data": complete,
        "partial_data": partial,
        "insufficient_data": len(held) - complete - partial,
        "data_coverage_percent": 100 * complete / len(held) if held else 0.0,
    }


def _by_history(held: Sequence[Holding], histories: Mapping[str, PriceHistory]) -> SymbolsByHistory:
    found: SymbolsByHistory = {
        "complete_history": [],
        "partial_history": [],
        "insufficient_data": [],
    }
    for symbol in sorted({h.symbol for h in held}):
        history = histories.get(symbol, NO_HISTORY)
        if history.complete:
            found["complete_history"].append(symbol)
        elif _partial(history):
            found["partial_history"].append(_partial_history(symbol, history))
        else:
            found["insufficient_data"].append(_insufficient(symbol, history, symbol in histories))
    return found


def _partial(history: PriceHistory) -> bool:
    return history.current and PARTIAL_CLOSES <= history.closes < COMPLETE_CLOSES


def _partial_history(symbol: str, history: PriceHistory) -> PartialHistory:
    return {
        "symbol": symbol,
        "days_available": history.closes,
        "days_missing": COMPLETE_CLOSES - history.closes,
    }


def _insufficient(symbol: str, history: PriceHistory, priced: bool) -> InsufficientHistory:
    listed = "recent_listing" if history.current else "prices_ended"
    reason = listed if priced else "no_prices"
    return {"symbol": symbol, "days_available": history.closes, "reason": reason}


def _feasibility(
    held: Sequence[Holding], histories: Mapping[str, PriceHistory], correlations: bool
) -> CalculationFeasibility:
    found: CalculationFeasibility = {
        "factor_regression": {
            **_eligible(held, histories, SPREAD_MIN_OBSERVATIONS, at_least=1),
            "min_days_required": SPREAD_MIN_OBSERVATIONS,
        },
        "volatility_analysis": {
            **_eligible(held, histories, MIN_RETURNS, at_least=1),
            "min_days_required": MIN_RETURNS,
        },
    }
    if correlations:
        found["correlation_matrix"] = {
            **_eligible(held, histories, MIN_SHARED_RETURNS, at_least=2),
            "min_days_overlap": MIN_SHARED_RETURNS,
        }
    return found


def _eligible(
    held: Sequence[Holding],
    histories: Mapping[str, PriceHistory],
    returns: int,
    *,
    at_least: int,
) -> Feasibility:
    """So many returns need one close more."""
    each = [histories.get(h.symbol, NO_HISTORY) for h in held]
    eligible = sum(history.current and history.closes > returns for history in each)
    return {
        "feasible": eligible >= at_least,
        "positions_eligible": eligible,
        "positions_excluded": len(held) - eligible,
    }


def _coverage(etfs: Collection[str], histories: Mapping[str, PriceHistory]) -> EtfCoverage:
    complete = [etf for etf in etfs if histories.get(etf, NO_HISTORY).complete]
    partial = [etf for etf in etfs if etf in histories and etf not in complete]
    missing = [etf for etf in etfs if etf not in histories]
    return {"complete": complete, "partial": partial, "missing": missing}
