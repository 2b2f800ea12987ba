"""Requests that the tests of portfolio data share."""

from typing import Any
from uuid import UUID

import httpx


def complete(client: httpx.Client, portfolio_id: UUID | str, **query: Any) -> dict[str, Any]:
    """The whole portfolio."""
    response = client.get(f"/api/v1/data/portfolio/{portfolio_id}/complete", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def only_portfolio(client: httpx.Client) -> str:
    """The id of the caller's one portfolio."""
    (listed,) = client.get("/api/v1/data/portfolios").json()
    return str(listed["id"])
