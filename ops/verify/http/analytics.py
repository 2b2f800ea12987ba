"""Whether the analytics, of each portfolio and over all of a user, show what the batch left."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, get_type_hints

from app import analytics
from app.analytics import aggregate, envelope
from ops.verify.http.facts import Stored, read_book, read_stored
from ops.verify.http.visit import Question, Visit, differing
from ops.verify.report import Verdict, skipped
from ops.verify.subject import Subject

# Endpoint → what answers it, and what must be filled where it is available. Of market-beta the
# head alone: its contract has moved about.
ENDPOINTS: Mapping[str, tuple[Callable[..., Any], str | None]] = {
    "overview": (analytics.overview, "exposures.gross_exposure"),
    "factor-exposures": (analytics.factor_exposures, "factors"),
    "positions/factor-exposures": (analytics.position_factor_exposures, "positions"),
    "spread-factors": (analytics.spread_factors, "factors"),
    "correlation-matrix": (analytics.correlation_matrix, "data.matrix"),
    "diversification-score": (analytics.diversification_score, "portfolio_correlation"),
    "stress-test": (analytics.stress_test, "data.scenarios"),
    "sector-exposure": (analytics.sector_exposure, "data.portfolio_weights"),
    "concentration": (analytics.concentration, "data.hhi"),
    "volatility": (analytics.volatility, "data.realized_volatility_21d"),
    "beta-calculated-90d": (analytics.beta_calculated_90d, "data.beta_calculated_90d"),
    "beta-provider-1y": (analytics.beta_provider_1y, "data.beta_provider_1y"),
    "market-beta": (envelope.answer, None),
    "beta-comparison": (analytics.beta_comparison, "positions"),
    "risk-metrics": (analytics.risk_metrics, "risk_metrics"),
}
_DEPRECATED = "risk-metrics"
_IN_DOLLARS = "overview"
AGGREGATES: Mapping[str, Callable[..., Any]] = {
    "overview": aggregate.overview,
    "breakdown": aggregate.breakdown,
    "beta": aggregate.beta,
    "volatility": aggregate.volatility,
    "factor-exposures": aggregate.factor_exposures,
    "sector-exposure": aggregate.sector_exposure,
    "concentration": aggregate.concentration,
    "correlation-matrix": aggregate.correlation_matrix,
    "stress-test": aggregate.stress_test,
}


def analytics_populated(subject: Subject, visit: Visit) -> Verdict:
    """Each endpoint answers, is available and filled where the database holds the rows that it
    shows, and its main figure is the stored one."""
    tokens = visit.tokens()
    book = read_book(subject, tokens)
    stored = read_stored(subject, book)
    questions = [
        Question(
            each.name,
            tokens[each.email],
            f"/api/v1/analytics/portfolio/{each.id}/{endpoint}",
            _shape(source),
            partial(_judge, endpoint, filled, stored[each.id], len(book.holdings[each.id])),
            required=endpoint != _DEPRECATED,
        )
        for each in book.portfolios
        for endpoint, (source, filled) in ENDPOINTS.items()
    ]
    faults = visit.put(questions)
    available = sum(len(each) for each in stored.values())
    note = f"; {_DEPRECATED}, deprecated, is absent" if faults.absent else ""
    return faults.finding(
        f"{len(questions)} answers of {len(book.portfolios)} portfolios, {available} populated as "
        f"the database is{note}",
        answers=len(questions),
        available=available,
    )


def aggregate_analytics(subject: Subject, visit: Visit) -> Verdict:
    """Each of the nine endpoints answers each probe account, and the total is the sum of the
    equities in the database."""
    tokens = visit.tokens()
    book = read_book(subject, tokens)
    questions = [
        Question(
            email,
            token,
            f"/api/v1/analytics/aggregate/{endpoint}",
            _shape(source),
            partial(_judge_total, sum(p.equity or 0.0 for p in book.of(email) if p.is_active)),
        )
        for email, token in tokens.items()
        for endpoint, source in AGGREGATES.items()
    ]
    faults = visit.put(questions)
    if faults.absent == len(questions):
        return skipped("this backend has no aggregate analytics")
    good = f"{len(questions)} answers to {len(tokens)} users"
    return faults.finding(good, answers=len(questions))


def _shape(source: Callable[..., Any]) -> Any:
    """What `app` declares that an endpoint's source returns."""
    return get_type_hints(source)["return"]


def _judge_total(equity: float, found: Mapping[str, Any]) -> Iterator[str]:
    yield from differing("net_asset_value", found["net_asset_value"], equity)


def _judge(
    endpoint: str, filled: str | None, stored: Stored, holdings: int, found: Mapping[str, Any]
) -> Iterator[str]:
    figures = stored.get(endpoint)
    if figures is None:
        return
    if not found.get("available", True):
        yield f"{endpoint} is not available although the database holds its rows"
        return
    if filled and _at(found, filled) in (None, "", [], {}):
        yield f"{endpoint}: {filled} is empty"
    for path, expected in figures.items():
        shown = _at(found, path)
        if shown is None:
            yield f"{endpoint}: {path} is missing"
        elif endpoint == _IN_DOLLARS:  # each holding rounded by itself, and their sum
            yield from differing(f"{endpoint} {path}", shown, expected, holdings + 1)
        elif abs(shown - expected) > 1e-4:
            yield f"{endpoint} {path}: {shown:.6f} instead of {expected:.6f}"


def _at(found: Any, path: str) -> Any:
    """What is at a path such as `data.hhi`; None where it ends before."""
    for name in path.split("."):
        found = found[name] if found else None
    return found
