"""What the stress scenarios would do to a portfolio."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.envelope import Envelope, Gap, Metadata, envelope, nothing
from app.ownership import OwnedPortfolio
from app.sql_files import statement

_NO_RESULTS = Gap("no_results", "NO_STRESS_TEST_RESULTS", "No stress tests have been computed")
_NO_MATCH = Gap(
    "no_results", "NO_MATCHING_RESULTS", "None of these scenarios has results for the portfolio"
)
_NO_SNAPSHOT = Gap(
    "no_snapshot", "NO_SNAPSHOT", "No snapshot says what the portfolio was worth", False
)
_NO_VALUE = Gap(
    "no_snapshot",
    "ZERO_BASELINE",
    "The portfolio's value is not positive, so nothing is a share of it",
    False,
)


class Impact(TypedDict):
    """Dollars, percentage points of the portfolio's value (-10 is a tenth lost), and what stays."""

    dollar_impact: float
    percentage_impact: float
    new_portfolio_value: float


class ScenarioImpact(TypedDict):
    """A scenario and its impact, with what the other factors would do in its wake."""

    id: str
    name: str
    description: str | None
    category: str
    impact_type: str
    impact: Impact
    severity: str


class StressResults(TypedDict):
    """Scenarios by category and name, against the value of one day."""

    scenarios: list[ScenarioImpact]
    portfolio_value: float
    calculation_date: str


class StressTest(Envelope):
    """The newest stress results."""

    data: StressResults | None


async def stress_test(
    session: AsyncSession, portfolio: OwnedPortfolio, *, scenarios: Sequence[str] | None = None
) -> StressTest:
    """The newest results of all scenarios, or of those with the ids in `scenarios`."""
    wanted = list(scenarios) if scenarios else None
    asked = {"portfolio": portfolio.id, "scenarios": wanted}
    rows = (await session.execute(statement("analytics/stress_test"), asked)).all()
    requested: Metadata = {"scenarios_requested": wanted} if wanted else {}
    gap = _gap(rows, wanted)
    if gap is not None:
        return {**await nothing(session, portfolio, gap, context=requested), "data": None}
    day, value = rows[0].day, rows[0].value
    results: StressResults = {
        "scenarios": [_impact(row, value) for row in rows],
        "portfolio_value": value,
        "calculation_date": day.isoformat(),
    }
    return {**envelope(portfolio, day, **requested), "data": results}


def _gap(rows: Sequence[Any], wanted: Sequence[str] | None) -> Gap | None:
    if not rows:
        return _NO_MATCH if wanted else _NO_RESULTS
    if rows[0].value is None:
        return _NO_SNAPSHOT
    return None if rows[0].value > 0 else _NO_VALUE


def _impact(row: Any, value: float) -> ScenarioImpact:
    return {
        "id": row.scenario_id,
        "name": row.name,
        "description": row.description,
        "category": row.category,
        "impact_type": "correlated",
        "impact": {
            "dollar_impact": row.impact,
            "percentage_impact": 100 * row.impact / value,
            "new_portfolio_value": round(value + row.impact, 2),
        },
        "severity": row.severity,
    }
