"""What the database holds of a user's portfolios, read without the code under test."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import httpx
import pandas as pd
from sqlalchemy.engine import URL

from ops.connection import connect
from tests.api.conftest import HEDGE_FUND, INDIVIDUAL

BASE = "/api/v1/analytics/aggregate"
ROUTES = (
    "overview",
    "breakdown",
    "beta",
    "volatility",
    "factor-exposures",
    "sector-exposure",
    "concentration",
    "correlation-matrix",
    "stress-test",
)
FAMILY = "demo_familyoffice@sigmasight.com"  # one listed portfolio, one private
ALLOCATOR = "demo_allocator@sigmasight.com"  # two listed portfolios, one with shorts
SEVERAL = [FAMILY, ALLOCATOR]
EVERYBODY = [INDIVIDUAL, HEDGE_FUND, *SEVERAL]


@dataclass
class Books:
    """What the database holds of a user's portfolios."""

    core: URL
    email: str

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with connect(self.core, application_name="tests") as core:
            return core.execute(query, values).fetchall()

    @cached_property
    def equities(self) -> dict[UUID, float]:
        found = self.rows(
            "SELECT p.id, p.equity_balance::float8 FROM portfolios p JOIN users u "
            "ON u.id = p.user_id WHERE u.email = %s ORDER BY p.created_at, p.id",
            self.email,
        )
        return dict(found)

    def newest(self, column: str, relation: str = "portfolio_snapshots") -> dict[UUID, Any]:
        """A column of each portfolio's last row."""
        return dict(
            self.rows(
                f"SELECT DISTINCT ON (portfolio_id) portfolio_id, {column}::float8 "
                f"FROM {relation} WHERE portfolio_id = ANY(%s) "
                "ORDER BY portfolio_id, snapshot_date DESC",
                list(self.equities),
            )
        )

    def holdings(self) -> pd.DataFrame:
        """Open positions with the values that the batch left; what never had a price has none."""
        found = self.rows(
            "SELECT x.symbol, coalesce(x.investment_class, 'PUBLIC'), "
            "coalesce(x.market_value, 0)::float8, c.sector, "
            "coalesce(c.is_etf, false) OR coalesce(c.is_fund, false) "
            "FROM positions x LEFT JOIN company_profiles c ON c.symbol = x.symbol "
            "WHERE x.portfolio_id = ANY(%s) AND x.deleted_at IS NULL AND x.exit_date IS NULL "
            "AND (x.expiration_date IS NULL OR x.expiration_date >= '2025-12-19')",
            list(self.equities),
        )
        return pd.DataFrame(found, columns=["symbol", "kind", "value", "sector", "fund"])

    def mean(self, figures: dict[UUID, float | None]) -> float | None:
        known = {key: value for key, value in figures.items() if value is not None}
        total = sum(self.equities[key] for key in known)
        return sum(self.equities[key] * v for key, v in known.items()) / total if known else None


def ask(client: httpx.Client, route: str, **query: Any) -> dict[str, Any]:
    response = client.get(f"{BASE}/{route}", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found
