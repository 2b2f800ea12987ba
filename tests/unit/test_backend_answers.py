"""What is wrong with a backend's answer is one line: its endpoint and its field, never a value."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from app.data.portfolios import ListedPortfolio
from app.data.snapshot import LatestSnapshot
from ops.verify.http.exchange import Answer, UnansweredError

SECRET = "canary-4711"
SNAPSHOT: dict[str, Any] = {
    "portfolio_id": "p",
    "snapshot_date": None,
    "target_price_return_eoy": 0,
    "target_price_return_next_year": 0.5,
    "target_price_coverage_pct": 0.0,
    "target_price_positions_count": 1,
    "target_price_total_positions": 2,
    "target_price_last_updated": None,
    "beta_calculated_90d": 1.1,
    "beta_provider_1y": None,
    "daily_pnl": None,
    "daily_return": None,
}


def answering(payload: object, status: int = 200) -> Answer:
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return Answer("GET /x", status, "application/json", body)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in SNAPSHOT.items() if key != name}


def test_an_answer_of_its_shape_is_read_and_may_say_more() -> None:
    assert answering(SNAPSHOT).read(LatestSnapshot) == SNAPSHOT
    assert answering({**SNAPSHOT, "more": 1}).read(LatestSnapshot)["portfolio_id"] == "p"
    assert answering([]).read(list[ListedPortfolio]) == []


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (without("daily_pnl"), "GET /x: daily_pnl is missing"),
        ({}, "GET /x: portfolio_id is missing (and 11 more)"),
        ({**SNAPSHOT, "daily_pnl": SECRET}, "GET /x: daily_pnl should be a valid number"),
        ({**SNAPSHOT, "daily_pnl": True}, "GET /x: daily_pnl should be a valid number"),
        ({**SNAPSHOT, "portfolio_id": None}, "GET /x: portfolio_id should be a valid string"),
        ({**SNAPSHOT, "target_price_total_positions": "2"}, "should be a valid integer"),
        ([SECRET], "GET /x: should be a valid dictionary"),
        (None, "GET /x: should be a valid dictionary"),
        (orjson.dumps(SNAPSHOT).replace(b"1.1", b"NaN"), "GET /x answers broken JSON"),
        (orjson.dumps(SNAPSHOT).replace(b"1.1", b"1e999"), "GET /x answers broken JSON"),
        (b"[" + b"1," * 300_000 + b"1]", "GET /x answers more than 200,000 values"),
    ],
)
def test_what_is_wrong_is_named(payload: object, reason: str) -> None:
    with pytest.raises(UnansweredError) as raised:
        answering(payload).read(LatestSnapshot)
    assert reason in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda a: a.field("b.c", str), "GET /x: b.c should be a valid string"),
        (lambda a: a.field("b.d", str), "GET /x: b.d is missing"),
        (lambda a: a.field("e.0", str), "GET /x: e.0 is missing"),
        (lambda a: a.field("e", list[str]), "GET /x: e 1 should be a valid string"),
        (lambda a: a.read(list[ListedPortfolio]), "GET /x: should be a valid list"),
    ],
)
def test_a_field_is_named_by_its_path(ask: Callable[[Answer], object], reason: str) -> None:
    with pytest.raises(UnansweredError) as raised:
        ask(answering({"b": {"c": 1}, "e": ["x", 2]}))
    assert str(raised.value) == reason


def test_a_404_about_the_thing_is_no_absent_endpoint() -> None:
    for detail, reason in (("Not Found", "is absent (404)"), ("No such user", "answers 404: No")):
        with pytest.raises(UnansweredError, match="GET /x") as raised:
            answering({"detail": detail}, 404).read(object)
        assert reason in str(raised.value)
