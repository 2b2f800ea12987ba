"""The equity that a portfolio's owner declares."""

from typing import Any

import httpx
import pytest

from tests.api.calculations.desk import FAMILY, Desk, calculate


def put_equity(client: httpx.Client, portfolio: str, body: Any) -> httpx.Response:
    url, kind = f"/api/v1/analytics/portfolio/{portfolio}/equity", "application/json"
    return client.put(url, content=body, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("1000000", 1_000_000),
        ("1234.565", 1234.57),
        ("0", 0),
        ('"12.5"', 12.5),
        ("99999999999999.99", 99999999999999.99),
    ],
)
def test_equity_is_stored_to_the_cent(given: str, stored: float, served: Desk) -> None:
    portfolio = served.portfolios(FAMILY)[1]
    with served.client(FAMILY) as client:
        response = put_equity(client, portfolio, f'{{"equity_balance": {given}}}')
        assert response.status_code == 200, response.text
        overview = client.get("/api/v1/analytics/aggregate/overview").json()
    assert response.json() == {
        "message": "Equity balance updated successfully",
        "portfolio_id": portfolio,
        "equity_balance": stored,
    }
    row = served.rows("SELECT equity_balance::float8 FROM portfolios WHERE id = %s", portfolio)
    assert row == [(stored,)]
    assert overview["portfolios"][1]["value"] == stored


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[1]",
        '{"equity_balance": null}',
        '{"equity_balance": -0.01}',
        '{"equity_balance": 100000000000000}',
        '{"equity_balance": 1e400}',
        '{"equity_balance": "NaN"}',
        '{"equity_balance": "Infinity"}',
        '{"equity_balance": NaN}',
        '{"equity_balance": "1\\u0000"}',
        '{"equity_balance": {}}',
        '{"equity_balance": [1]}',
    ],
)
def test_odd_equities_are_refused(body: str, served: Desk) -> None:
    with served.client() as client:
        assert put_equity(client, served.portfolios()[0], body).status_code == 422


def test_equity_is_the_owners_to_declare(
    individual: httpx.Client, anonymous: httpx.Client, served: Desk
) -> None:
    foreign = served.portfolios(FAMILY)[0]
    assert put_equity(individual, foreign, '{"equity_balance": 1}').status_code == 404
    assert put_equity(anonymous, foreign, '{"equity_balance": 1}').status_code == 401
    assert calculate(anonymous, foreign).status_code == 401
