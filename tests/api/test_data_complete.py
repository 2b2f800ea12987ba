"""The whole portfolio, against numbers that SQL derives another way."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from psycopg.rows import dict_row

from ops.connection import connect
from ops.plan_figures import LAST_DAY
from tests.api.backend import Backend
from tests.api.conftest import HEDGE_FUND, INDIVIDUAL
from tests.api.data_requests import complete, only_portfolio
from tests.api.own_book import OwnBook, own_book

_FLAGS = {"include_holdings", "include_position_tags", "include_timeseries", "include_attrib"}

# Not the statement of the code: one window over all prices, one row per position, in decimals.
_EXPECTED = """
WITH numbered AS (
    SELECT symbol, close, row_number() OVER (PARTITION BY symbol ORDER BY date DESC) AS age,
        count(*) FILTER (WHERE date > %(day)s - 365) OVER (PARTITION BY symbol) AS days
    FROM market_data_cache WHERE close > 0 AND close <> 'NaN'
)
SELECT u.email, p.id AS portfolio_id, q.id::text, q.symbol, q.quantity, q.position_type::text,
    q.investment_class, n.days >= 150 IS TRUE AND q.investment_class <> 'PRIVATE' AS complete,
    CASE WHEN q.investment_class = 'PRIVATE' THEN q.entry_price ELSE n.close END AS price,
    CASE
        WHEN q.investment_class = 'PRIVATE' THEN q.market_value
        WHEN q.investment_class = 'OPTIONS' THEN q.quantity * coalesce(n.close, 0) * 100
        ELSE q.quantity * coalesce(n.close, 0)
    END AS market_value,
    (SELECT array_agg(t.name ORDER BY t.display_order, t.name) FROM tags_v2 t
        JOIN position_tags l ON l.tag_id = t.id WHERE l.position_id = q.id) AS tags
FROM positions q
JOIN portfolios p ON p.id = q.portfolio_id
JOIN users u ON u.id = p.user_id
LEFT JOIN numbered n ON n.symbol = q.symbol AND n.age = 1
WHERE q.deleted_at IS NULL AND q.exit_date IS NULL AND u.email LIKE 'demo_%%'
    AND (q.expiration_date IS NULL OR q.expiration_date >= %(day)s)
ORDER BY u.email, p.id, q.symbol, q.id
"""


@pytest.fixture
def book(backend: Backend) -> Iterator[OwnBook]:
    with own_book(backend) as made:
        yield made


def test_every_holding_of_the_demo_is_worth_what_sql_says(backend: Backend) -> None:
    with connect(backend.core, application_name="tests") as core:
        rows = core.cursor(row_factory=dict_row).execute(_EXPECTED, {"day": LAST_DAY}).fetchall()
    portfolios = {(row["email"], row["portfolio_id"]) for row in rows}
    assert len(portfolios) == 11
    assert len(rows) == 144 - 5  # five options expired
    for email, portfolio_id in portfolios:
        with backend.client(email) as client:
            found = complete(client, portfolio_id)
        _agrees(found, [row for row in rows if row["portfolio_id"] == portfolio_id])


def _agrees(found: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    assert [h["id"] for h in found["holdings"]] == [row["id"] for row in rows]
    for holding, row in zip(found["holdings"], rows, strict=True):
        price = None if row["price"] is None else float(row["price"])
        assert holding["last_price"] == holding["current_price"] == price
        assert holding["market_value"] == pytest.approx(float(row["market_value"]), abs=0.005)
        assert holding["quantity"] == float(row["quantity"])
        assert holding["symbol"] == row["symbol"]
        assert holding["position_type"] == row["position_type"]
        assert holding["investment_class"] == row["investment_class"]
        assert holding["has_complete_history"] is row["complete"]
        assert [tag["name"] for tag in holding["tags"]] == (row["tags"] or [])
    types = [row["position_type"] for row in rows]
    assert found["positions_summary"] == {
        "long_count": types.count("LONG"),
        "short_count": types.count("SHORT"),
        "option_count": sum(kind in {"LC", "LP", "SC", "SP"} for kind in types),
        "total_market_value": pytest.approx(float(sum(row["market_value"] for row in rows))),
    }
    known = sum(row["complete"] for row in rows)
    assert found["data_quality"]["complete_data_positions"] == known
    assert found["data_quality"]["partial_data_positions"] == len(rows) - known
    assert found["portfolio"]["position_count"] == found["meta"]["rows_returned"] == len(rows)


def test_the_equity_is_what_the_last_snapshot_says(
    individual: httpx.Client, backend: Backend
) -> None:
    portfolio_id = only_portfolio(individual)
    with connect(backend.core, application_name="tests") as core:
        row = core.execute(
            "SELECT total_value FROM portfolio_snapshots WHERE portfolio_id = %s "
            "AND snapshot_date = %s",
            [portfolio_id, LAST_DAY],
        ).fetchone()
    assert row is not None
    shown = complete(individual, portfolio_id)["portfolio"]
    assert shown["net_asset_value"] == shown["total_value"] == shown["equity_balance"]
    assert shown["equity_balance"] == float(row[0])


def test_shorts_are_negative_and_expired_options_gone(hedge_fund: httpx.Client) -> None:
    found = complete(hedge_fund, only_portfolio(hedge_fund))
    shorts = [h for h in found["holdings"] if h["position_type"] == "SHORT"]
    assert len(shorts) == 9
    assert all(h["quantity"] < 0 and h["market_value"] < 0 for h in shorts)
    options = [h for h in found["holdings"] if h["investment_class"] == "OPTIONS"]
    assert len(options) == 3  # of eight; the others expired from July to October
    assert all("26" in h["symbol"] and h["last_price"] is None for h in options)
    assert [h["market_value"] for h in options] == [0, 0, 0]


def test_the_shape_is_the_contracts(individual: httpx.Client) -> None:
    portfolio_id = only_portfolio(individual)
    found = complete(individual, portfolio_id, as_of_date="2025-08-01")
    assert set(found) == {"meta", "portfolio", "positions_summary", "holdings", "data_quality"}
    meta = found["meta"]
    assert set(meta) == {
        "as_of",
        "requested",
        "applied",
        "limits",
        "rows_returned",
        "truncated",
        "schema_version",
    }
    assert meta["requested"] == {
        "portfolio_id": portfolio_id,
        "include_holdings": True,
        "include_position_tags": True,
        "include_timeseries": False,
        "include_attrib": False,
        "as_of_date": "2025-08-01",
    }
    assert set(meta["applied"]) == {*_FLAGS, "as_of_date"}
    assert meta["applied"]["as_of_date"] == LAST_DAY.isoformat()
    assert meta["limits"] == {"max_positions": 2000, "max_days": 180, "max_symbols": None}
    assert (meta["truncated"], meta["schema_version"]) == (False, "1.0")
    assert set(found["portfolio"]) == {
        "id",
        "name",
        "net_asset_value",
        "total_value",
        "equity_balance",
        "position_count",
        "as_of",
    }
    assert set(found["data_quality"]) == {
        "complete_data_positions",
        "partial_data_positions",
        "as_of",
    }
    assert meta["as_of"].endswith("Z")
    assert meta["as_of"] == found["portfolio"]["as_of"] == found["data_quality"]["as_of"]


def test_the_flags_add_and_leave_out_sections(individual: httpx.Client) -> None:
    portfolio_id = only_portfolio(individual)
    whole = complete(individual, portfolio_id)
    untagged = complete(individual, portfolio_id, include_position_tags=False)
    assert [{**h, "tags": w["tags"]} for h, w in _paired(untagged, whole)] == whole["holdings"]
    assert all("tags" not in h for h in untagged["holdings"])
    brief = complete(individual, portfolio_id, include_holdings=False)
    assert "holdings" not in brief
    assert brief["meta"]["rows_returned"] == 0
    assert brief["positions_summary"] == whole["positions_summary"]
    assert brief["portfolio"]["position_count"] == 16
    more = complete(individual, portfolio_id, include_timeseries=True, include_attrib=True)
    assert set(more["timeseries"]) == {"dates", "values", "note"}
    assert more["timeseries"]["dates"] == more["timeseries"]["values"] == []
    assert set(more["attribution"]) == {"contributors", "detractors", "note"}
    assert more["meta"]["limits"]["max_symbols"] == 5


def _paired(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[Any, Any]]:
    return list(zip(one["holdings"], other["holdings"], strict=True))


def test_beyond_two_thousand_the_list_is_cut_and_says_so(book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.prices("OWN_A", {LAST_DAY: 2})
    _many_positions(book, portfolio, 2003)
    with book.client() as client:
        found = complete(client, portfolio)
    assert len(found["holdings"]) == found["meta"]["rows_returned"] == 2000
    assert found["meta"]["truncated"] is True
    assert found["portfolio"]["position_count"] == 2003
    assert found["positions_summary"]["total_market_value"] == 2003 * 2
    keys = [(h["symbol"], h["id"]) for h in found["holdings"]]
    assert all(a < b for a, b in pairwise(keys))


def _many_positions(book: OwnBook, portfolio: UUID, count: int) -> None:
    book.core.execute(
        "INSERT INTO positions (id, portfolio_id, symbol, position_type, quantity, entry_price, "
        "entry_date, investment_class, created_at, updated_at) SELECT gen_random_uuid(), %s, "
        "'OWN_A', 'LONG', 1, 1, %s, 'PUBLIC', now(), now() FROM generate_series(1, %s)",
        [portfolio, LAST_DAY, count],
    )


def test_more_positions_are_not_more_statements(backend: Backend, book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.prices("OWN_A", {LAST_DAY: 2})
    _many_positions(book, portfolio, 400)
    counts = {}
    with book.client() as client:
        counts[400] = _statements(backend, client, portfolio)
    for email, positions in ((INDIVIDUAL, 16), (HEDGE_FUND, 25)):
        with backend.client(email) as client:
            counts[positions] = _statements(backend, client, only_portfolio(client))
    # The caller with his portfolio, then holdings, histories and tags.
    assert counts == {400: 4, 16: 4, 25: 4}


def _statements(backend: Backend, client: httpx.Client, portfolio_id: UUID | str) -> int:
    with backend.statements.counted() as sent:
        complete(client, portfolio_id)
    return len(sent)


def test_deleted_portfolios_are_gone_and_inactive_ones_are_not(book: OwnBook) -> None:
    deleted = book.portfolio(deleted_at=LAST_DAY)
    inactive = book.portfolio(is_active=False)
    with book.client() as client:
        gone = client.get(f"/api/v1/data/portfolio/{deleted}/complete")
        assert gone.status_code == 404
        assert complete(client, inactive)["portfolio"]["id"] == str(inactive)


def test_only_its_owner_sees_a_portfolio(
    individual: httpx.Client, hedge_fund: httpx.Client, anonymous: httpx.Client
) -> None:
    theirs = only_portfolio(hedge_fund)
    for path in (
        f"/data/portfolio/{theirs}/complete",
        f"/data/portfolio/{theirs}/snapshot",
        f"/data/portfolio/{theirs}/data-quality",
        f"/data/positions/top/{theirs}",
        f"/data/positions/details?portfolio_id={theirs}",
        f"/data/prices/historical/{theirs}",
        f"/data/company-profiles?portfolio_id={theirs}",
        f"/target-prices/{theirs}",
        f"/portfolios/{theirs}",
    ):
        assert hedge_fund.get(f"/api/v1{path}").status_code == 200, path
        foreign = individual.get(f"/api/v1{path}")
        unknown = individual.get(f"/api/v1{path}".replace(theirs, str(uuid4())))
        assert (foreign.status_code, foreign.json()) == (404, {"detail": "Portfolio not found"})
        assert (unknown.status_code, unknown.json()) == (404, foreign.json())
        assert anonymous.get(f"/api/v1{path}").status_code == 401, path
