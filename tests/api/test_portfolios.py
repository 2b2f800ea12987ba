"""Lists of portfolios."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from ops.connection import connect
from ops.plan_figures import LAST_DAY
from tests.api.backend import Backend
from tests.api.own_book import OwnBook, own_book

FAMILY_OFFICE = "demo_familyoffice@sigmasight.com"


@pytest.fixture
def book(backend: Backend) -> Iterator[OwnBook]:
    with own_book(backend) as made:
        yield made


def get(client: httpx.Client, path: str, **query: Any) -> Any:
    response = client.get(f"/api/v1{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_user_with_two_portfolios_sees_both_with_their_values(backend: Backend) -> None:
    with connect(backend.core, application_name="tests") as core:
        expected = core.execute(
            "SELECT p.id::text, p.name, p.equity_balance, count(*), sum(CASE investment_class "
            "WHEN 'PRIVATE' THEN q.market_value ELSE q.quantity * (SELECT close FROM "
            "market_data_cache m WHERE m.symbol = q.symbol AND m.date = %s) END) "
            "FROM portfolios p JOIN positions q ON q.portfolio_id = p.id "
            "JOIN users u ON u.id = p.user_id WHERE u.email = %s "
            "GROUP BY p.id ORDER BY p.created_at, p.id",
            [LAST_DAY, FAMILY_OFFICE],
        ).fetchall()
    with backend.client(FAMILY_OFFICE) as client:
        listed, overview = get(client, "/data/portfolios"), get(client, "/portfolios")
    assert [(p["id"], p["name"], p["net_asset_value"], p["position_count"]) for p in listed] == [
        (id_, name, float(equity), count) for id_, name, equity, count, _ in expected
    ]
    values = [float(row[4]) for row in expected]
    assert [p["total_market_value"] for p in listed] == pytest.approx(values)
    assert all(p["total_value"] == p["equity_balance"] == p["net_asset_value"] for p in listed)
    assert overview["total_count"] == overview["active_count"] == 2
    total = float(sum(row[2] for row in expected))
    assert overview["net_asset_value"] == overview["total_value"] == pytest.approx(total)


def test_the_shapes_are_the_contracts(individual: httpx.Client) -> None:
    (listed,) = get(individual, "/data/portfolios")
    assert set(listed) == {
        "id",
        "name",
        "net_asset_value",
        "total_value",
        "equity_balance",
        "total_market_value",
        "created_at",
        "updated_at",
        "position_count",
    }
    overview = get(individual, "/portfolios")
    assert set(overview) == {
        "portfolios",
        "total_count",
        "active_count",
        "net_asset_value",
        "total_value",
    }
    (record,) = overview["portfolios"]
    assert record == get(individual, f"/portfolios/{listed['id']}")
    assert set(record) == {
        *("id", "user_id", "name", "account_name", "account_type", "description", "currency"),
        *("equity_balance", "is_active", "created_at", "updated_at", "deleted_at"),
        *("position_count", "net_asset_value", "total_value"),
    }
    assert record["position_count"] == listed["position_count"] == 16
    assert record["created_at"].endswith("Z")


def test_inactive_portfolios_only_when_asked_for_and_deleted_ones_never(book: OwnBook) -> None:
    active = book.portfolio(equity_balance=10, created_at=date(2025, 1, 1))
    inactive = book.portfolio(equity_balance=20, is_active=False, created_at=date(2025, 1, 2))
    deleted = book.portfolio(equity_balance=40, deleted_at=LAST_DAY, created_at=date(2025, 1, 3))
    with book.client() as client:
        few, all_ = (get(client, "/portfolios", include_inactive=flag) for flag in (False, True))
        assert [p["id"] for p in few["portfolios"]] == [str(active)]
        assert [p["id"] for p in all_["portfolios"]] == [str(active), str(inactive)]
        assert (few["total_count"], few["active_count"], few["total_value"]) == (1, 1, 10)
        assert (all_["total_count"], all_["active_count"], all_["total_value"]) == (2, 1, 10)
        listed = get(client, "/data/portfolios")
        assert [p["id"] for p in listed] == [str(active), str(inactive)]
        assert get(client, f"/portfolios/{inactive}")["is_active"] is False
        assert client.get(f"/api/v1/portfolios/{deleted}").status_code == 404


@pytest.mark.parametrize(
    ("snapshots", "equity", "value"),
    [
        pytest.param({date(2025, 12, 18): 70, LAST_DAY: 80}, 60, 80, id="newest snapshot"),
        pytest.param({LAST_DAY: 0}, 60, 60, id="nothing held on the last day"),
        pytest.param({}, 60, 60, id="no snapshot"),
        pytest.param({}, None, 0, id="nothing known"),
    ],
)
def test_the_value_is_the_newest_snapshots(
    book: OwnBook, snapshots: dict[date, float], equity: float | None, value: float
) -> None:
    portfolio = book.portfolio(equity_balance=equity)
    for day, total in snapshots.items():
        book.snapshot(portfolio, day, total)
    with book.client() as client:
        record = get(client, f"/portfolios/{portfolio}")
    assert record["net_asset_value"] == record["total_value"] == value
    assert record["equity_balance"] == equity


def test_a_lagging_portfolio_keeps_options_of_its_own_day(book: OwnBook) -> None:
    """One portfolio's prices say nothing about how far another one reaches."""
    lagging, current = book.portfolio(), book.portfolio()
    book.prices("OWN_OLD", {date(2025, 8, 1): 10})
    book.prices("OWN_NEW", {LAST_DAY: 10})
    book.position(lagging, "OWN_OLD", 1)
    book.position(current, "OWN_NEW", 1)
    for portfolio in (lagging, current):
        option = {"position_type": "LC", "investment_class": "OPTIONS"}
        book.position(portfolio, "OWN_C", 1, **option, expiration_date=date(2025, 9, 19))
    with book.client() as client:
        counts = {p["id"]: p["position_count"] for p in get(client, "/data/portfolios")}
        assert counts == {str(lagging): 2, str(current): 1}
        for id_, count in counts.items():
            whole = get(client, f"/data/portfolio/{id_}/complete")
            assert whole["portfolio"]["position_count"] == count


def test_a_user_without_portfolios_has_empty_lists(book: OwnBook) -> None:
    with book.client() as client:
        assert get(client, "/data/portfolios") == []
        assert get(client, "/portfolios") == {
            "portfolios": [],
            "total_count": 0,
            "active_count": 0,
            "net_asset_value": 0,
            "total_value": 0,
        }


def test_more_portfolios_are_not_more_statements(backend: Backend, book: OwnBook) -> None:
    book.prices("OWN_A", {LAST_DAY: 1})
    counts = []
    with book.client() as client:
        for _ in range(2):
            for _ in range(6):
                book.position(book.portfolio(), "OWN_A", 1)
            with backend.statements.counted() as sent:
                get(client, "/data/portfolios")
                get(client, "/portfolios")
            counts.append(len(sent))
    assert counts == [6, 6]


@pytest.mark.parametrize("path", ["/data/portfolios", "/portfolios"])
def test_nobody_sees_a_list_without_a_token(anonymous: httpx.Client, path: str) -> None:
    assert anonymous.get(f"/api/v1{path}").status_code == 401
