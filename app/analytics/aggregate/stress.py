"""What stress scenarios would do to the portfolios together."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.analytics.aggregate.combined import (
    NOT_POSITIVE,
    Availability,
    CombinedPortfolios,
    available,
    unavailable,
)
from app.analytics.stress import Impact
from app.sql_files import statement

_NO_RESULTS = "No stress test data available for any portfolio"


class CombinedScenario(TypedDict):
    """A scenario and its impact on the portfolios that it was computed for."""

    id: str
    name: str
    description: str
    category: str
    severity: str
    impact: Impact
    portfolios_included: int


class CombinedScenarios(TypedDict):
    """Scenarios by category and name; `portfolio_value` is the combined equity."""

    scenarios: list[CombinedScenario]
    portfolio_value: float


class AggregateStressTest(Availability):
    """Impacts of all scenarios; percentages are of the whole equity, also of portfolios without
    results."""

    data: CombinedScenarios | None
    portfolios_with_stress_data: int
    calculation_method: str
    formula: str


async def stress_test(session: AsyncSession, combined: CombinedPortfolios) -> AggregateStressTest:
    """What each scenario would do to the portfolios together."""
    rows = await session.execute(
        statement("analytics/aggregate/stress_test"), {"portfolios": combined.ids}
    )
    found = rows.all()
    reason = _NO_RESULTS if not found else NOT_POSITIVE if combined.equity <= 0 else None
    head = unavailable(combined, reason) if reason else available(combined)
    return {
        **head,
        "data": None if reason else _scenarios(found, combined.equity),
        "portfolios_with_stress_data": found[0].portfolios_with_data if found else 0,
        "calculation_method": "weighted_aggregation",
        "formula": "dollars: sum of the portfolios' impacts; percentage: of the total equity",
    }


def _scenarios(rows: Sequence[Row[Any]], equity: float) -> CombinedScenarios:
    return {"scenarios": [_scenario(row, equity) for row in rows], "portfolio_value": equity}


def _scenario(row: Row[Any], equity: float) -> CombinedScenario:
    return {
        "id": row.scenario_id,
        "name": row.name,
        "description": row.description,
        "category": row.category,
        "severity": row.severity,
        "impact": {
            "dollar_impact": row.dollar_impact,
            "percentage_impact": row.dollar_impact / equity * 100,
            "new_portfolio_value": equity + row.dollar_impact,
        },
        "portfolios_included": row.portfolios_included,
    }
