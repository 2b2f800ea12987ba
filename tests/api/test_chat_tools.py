"""The chat's tools: they say what the API says, to whom the API would say it, and no longer than
a model can read."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from app.agent import bounds
from app.agent.tools import analytics_tools, portfolio_tools
from app.agent.tools.catalog import TOOLS
from app.agent.tools.registry import Tool
from app.agent.tools.truncation import bounded
from tests.api.backend import Backend
from tests.api.chat_model import configured_model
from tests.api.chat_stream import ask, conversation
from tests.api.conftest import HEDGE_FUND, INDIVIDUAL
from tests.api.llm_server import LlmServer, called, said
from tests.api.own_book import OwnBook, own_book
from tests.api.test_chat_conversations import portfolio_of

NAMES = {
    "list_user_portfolios",
    "get_portfolio_complete",
    "get_positions_details",
    "get_portfolio_data_quality",
    "get_prices_historical",
    "get_current_quotes",
    "get_factor_etf_prices",
    "get_analytics_overview",
    "get_factor_exposures",
    "get_sector_exposure",
    "get_correlation_matrix",
    "get_stress_test_results",
    "get_concentration_metrics",
    "get_volatility_analysis",
    "get_company_profile",
    "get_target_prices",
    "get_position_tags",
    "get_daily_movers",
}
# What says when the answer was made.
MOMENTS = {"as_of", "timestamp", "last_updated", "last_update", "age_hours"}


@pytest.fixture
def llm(backend: Backend) -> Iterator[LlmServer]:
    with configured_model() as server:
        yield server


@pytest.fixture
def book(backend: Backend) -> Iterator[OwnBook]:
    with own_book(backend) as book:
        yield book
        book.core.execute("DELETE FROM agent_conversations WHERE user_id = %s", [book.user_id])


def results_of(
    llm: LlmServer, client: httpx.Client, *calls: tuple[str, Any], **context: Any
) -> list[Any]:
    """What calls of tools give, to the model and to the client alike; the answer goes on after
    them, whatever that is."""
    most = bounds.CALLS_PER_ROUND
    rounds = [calls[begin : begin + most] for begin in range(0, len(calls), most)]
    llm.replies = [*(called(*round_) for round_ in rounds), said("So.")]
    run = ask(client, "Well?", conversation(client, **context))
    assert (run.names[-1], run.text) == ("done", "So.")
    asked, events = run.all("tool_call"), run.all("tool_result")
    assert [each.data["tool_name"] for each in events] == [each.data["tool_name"] for each in asked]
    assert all(event.data["duration_ms"] >= 0 for event in events)
    results = [event.data["tool_result"] for event in events]
    assert len(results) == len(calls)
    told = [each for each in llm.chats[-1]["messages"] if each["role"] == "tool"]
    assert [json.loads(each["content"]) for each in told] == results
    return results


def result_of(llm: LlmServer, client: httpx.Client, name: str, arguments: Any) -> Any:
    """What one call gives."""
    [result] = results_of(llm, client, (name, arguments))
    return result


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key not in MOMENTS}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def test_every_tool_has_a_schema_that_endpoints_accept() -> None:
    assert set(TOOLS) == NAMES
    for tool in TOOLS.values():
        schema = tool.schema()
        assert schema["type"] == "function"
        parameters = schema["function"]["parameters"]
        assert parameters["type"] == "object"
        written = json.dumps(parameters)
        assert not {"$ref", "$defs", "anyOf"} & set(written.split('"'))
        for each in parameters["properties"].values():
            assert each["type"] in {"string", "boolean", "integer", "number", "array"}


SAME: list[tuple[str, dict[str, Any], str]] = [
    ("list_user_portfolios", {}, "portfolios"),
    ("get_portfolio_complete", {}, "data/portfolio/{id}/complete"),
    ("get_positions_details", {}, "data/positions/details?portfolio_id={id}"),
    ("get_portfolio_data_quality", {}, "data/portfolio/{id}/data-quality"),
    ("get_current_quotes", {"symbols": "aapl, XOM"}, "data/prices/quotes?symbols=AAPL,XOM"),
    ("get_factor_etf_prices", {"lookback_days": 30}, "data/factors/etf-prices?lookback_days=30"),
    ("get_company_profile", {"symbol": "nvda"}, "data/company-profiles?symbols=NVDA"),
    ("get_analytics_overview", {}, "analytics/portfolio/{id}/overview"),
    ("get_factor_exposures", {}, "analytics/portfolio/{id}/factor-exposures"),
    ("get_sector_exposure", {}, "analytics/portfolio/{id}/sector-exposure"),
    ("get_correlation_matrix", {}, "analytics/portfolio/{id}/correlation-matrix"),
    ("get_stress_test_results", {}, "analytics/portfolio/{id}/stress-test"),
    ("get_concentration_metrics", {}, "analytics/portfolio/{id}/concentration"),
    ("get_volatility_analysis", {}, "analytics/portfolio/{id}/volatility"),
]


def test_tools_say_what_the_api_says(
    llm: LlmServer,
    hedge_fund: httpx.Client,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "TOOL_RESULT_CHARACTERS", 1_000_000)
    portfolio = portfolio_of(backend, HEDGE_FUND)
    results = results_of(llm, hedge_fund, *((name, given) for name, given, _ in SAME))
    for (name, _, path), result in zip(SAME, results, strict=True):
        response = hedge_fund.get(f"/api/v1/{path.format(id=portfolio)}")
        assert response.status_code == 200, response.text
        assert set(result) == {"meta", "data"}, name
        assert timeless(result["data"]) == timeless(response.json()), name


def test_movers_tags_targets_and_prices_are_the_databases(llm: LlmServer, book: OwnBook) -> None:
    portfolio = book.portfolio()
    book.target(portfolio, "CHATM", target_price_eoy=30, current_price=25)
    held = book.position(portfolio, "CHATM", quantity=10)
    book.tag("Chatty", held)
    last = date(2025, 12, 19)
    book.prices("CHATM", {last - timedelta(days=1): 20, last: 25})
    with book.client() as client:
        movers, tags, prices, targets = (
            result["data"]
            for result in results_of(
                llm,
                client,
                ("get_daily_movers", {"threshold_pct": 1}),
                ("get_position_tags", {}),
                ("get_prices_historical", {"lookback_days": 5}),
                ("get_target_prices", {}),
            )
        )
    book.core.execute("DELETE FROM position_tags WHERE position_id = %s", [held])
    book.core.execute("DELETE FROM tags_v2 WHERE user_id = %s", [book.user_id])
    [gainer] = movers["data"]["gainers"]
    assert (gainer["symbol"], gainer["daily_change_pct"]) == ("CHATM", pytest.approx(25))
    [tag] = tags["tags"]
    assert (tag["name"], [each["symbol"] for each in tag["positions"]]) == ("Chatty", ["CHATM"])
    assert prices["symbols"]["CHATM"]["close"] == [20, 25]
    [target] = targets["target_prices"]
    assert (target["symbol"], target["target_price_eoy"]) == ("CHATM", 30)


WRONG: list[tuple[str, Any, str]] = [
    ("get_portfolio_complete", "{not json", "validation_error"),
    ("get_portfolio_complete", "[1]", "validation_error"),
    ("get_portfolio_complete", {"x": "y" * 8_000}, "validation_error"),
    ("get_portfolio_complete", '{"x": ' + "[" * 400 + "]" * 400 + "}", "validation_error"),
    ("get_portfolio_complete", {"portfolio_id": "mine"}, "validation_error"),
    ("get_portfolio_complete", {"portfolio_id": str(uuid4())}, "not_found"),
    ("get_portfolio_complete", {"portfolio_ids": [str(uuid4())]}, "not_found"),
    ("get_portfolio_complete", {"portfolio_ids": [str(uuid4())] * 99}, "validation_error"),
    ("get_analytics_overview", {"portfolio_id": str(uuid4())}, "not_found"),
    ("get_position_tags", {"portfolio_id": str(uuid4())}, "not_found"),
    ("get_positions_details", {"portfolio_id": str(uuid4())}, "not_found"),
    ("get_current_quotes", {}, "validation_error"),
    ("get_current_quotes", {"symbols": ""}, "validation_error"),
    ("get_current_quotes", {"symbols": "A\0B"}, "validation_error"),
    ("get_company_profile", {"symbol": "x" * 99}, "validation_error"),
    ("get_daily_movers", {"threshold_pct": -1}, "validation_error"),
    ("get_weather", {"city": "\0"}, "unknown_tool"),
    ("", {}, "unknown_tool"),
]


def test_what_a_model_gets_wrong_is_a_result_that_it_can_read(
    llm: LlmServer, individual: httpx.Client
) -> None:
    results = results_of(llm, individual, *((name, given) for name, given, _ in WRONG))
    for (name, given, kind), result in zip(WRONG, results, strict=True):
        assert set(result) == {"meta", "data", "error"}, (name, given)
        assert result["data"] is None
        assert result["error"]["type"] == kind, (name, given)
        assert result["error"]["message"]


def test_no_tool_shows_anothers_portfolio(
    llm: LlmServer, individual: httpx.Client, backend: Backend
) -> None:
    other, names = portfolio_of(backend, HEDGE_FUND), sorted(NAMES - {"get_position_tags"})
    given = {"portfolio_id": other, "symbols": "AAPL", "symbol": "AAPL"}
    results = results_of(llm, individual, *((name, given) for name in names))
    for name, result in zip(names, results, strict=True):
        if "portfolio_id" in TOOLS[name].arguments.model_fields:
            assert result["error"]["type"] == "not_found", name
        assert other not in json.dumps(result.get("data")), name


def test_the_conversations_portfolio_is_given_where_none_is_named(
    llm: LlmServer, individual: httpx.Client, backend: Backend
) -> None:
    mine = portfolio_of(backend, INDIVIDUAL)
    given: list[dict[str, Any]] = [{}, {"portfolio_id": "default"}, {"portfolio_id": None}]
    results = results_of(llm, individual, *(("get_volatility_analysis", each) for each in given))
    assert [result["meta"]["requested"] for result in results] == given
    assert [result["meta"]["applied"] for result in results] == [{"portfolio_id": mine}] * 3


def test_of_several_portfolios_one_must_be_named_unless_the_tool_takes_all(
    llm: LlmServer, book: OwnBook
) -> None:
    ids = [str(book.portfolio(created_at=f"2025-01-0{day}")) for day in (1, 2)]
    with book.client() as client:
        unnamed, named, whole, partly = results_of(
            llm,
            client,
            ("get_volatility_analysis", {}),
            ("get_volatility_analysis", {"portfolio_id": ids[1]}),
            ("get_portfolio_complete", {"include_holdings": False}),
            ("get_portfolio_complete", {"portfolio_ids": [ids[0], str(uuid4())]}),
        )
    assert unnamed["error"]["type"] == "validation_error"
    assert all(each in unnamed["error"]["message"] for each in ids)
    assert named["data"]["portfolio_id"] == ids[1]
    assert whole["meta"]["applied"]["portfolio_ids"] == ids
    assert [each["data"]["portfolio"]["id"] for each in whole["data"]["portfolios"]] == ids
    assert [set(each) for each in partly["data"]["portfolios"]] == [
        {"portfolio_id", "data"},
        {"portfolio_id", "error"},
    ]


def test_arguments_beyond_the_bounds_are_applied_within_them(
    llm: LlmServer, individual: httpx.Client
) -> None:
    wanted = {"lookback_days": 100_000}
    meta = result_of(llm, individual, "get_factor_etf_prices", wanted)["meta"]
    assert meta["requested"] == wanted
    assert meta["applied"]["lookback_days"] == 180
    many = {"symbols": "AAPL,MSFT,NVDA,AMZN,XOM,JNJ,V"}
    applied = result_of(llm, individual, "get_current_quotes", many)["meta"]["applied"]
    assert applied["symbols"] == ["AAPL", "MSFT", "NVDA", "AMZN", "XOM"]


def test_a_result_that_is_too_long_is_cut_and_says_so(
    llm: LlmServer, hedge_fund: httpx.Client
) -> None:
    result = result_of(llm, hedge_fund, "get_prices_historical", {"lookback_days": 180})
    assert result["meta"]["truncated"] is True
    assert len(llm.chats[-1]["messages"][-1]["content"]) < 12_000
    for symbol, columns in result["data"]["symbols"].items():
        lengths = {len(each) for each in columns.values() if isinstance(each, list)}
        assert len(lengths) == 1
        assert columns["dates"][-1] == "2025-12-19"
        cut = result["meta"]["limits"]["cut"][f"symbols.{symbol}.dates"]
        assert cut["shown"] == len(columns["dates"]) < cut["of"]


def test_a_tool_that_fails_or_takes_too_long_is_an_error_for_the_model(
    llm: LlmServer, individual: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> Any:
        raise ValueError("postgresql://secret")

    async def away(*_: Any) -> Any:
        raise OperationalError("SELECT secret", {}, Exception("secret"))

    async def slow(*_: Any) -> Any:
        raise TimeoutError

    tool = TOOLS["list_user_portfolios"]
    for handler, kind, retryable in (
        (broken, "execution_error", False),
        (away, "execution_error", True),
        (slow, "timeout", True),
    ):
        replaced = Tool(tool.name, tool.description, tool.arguments, handler)
        monkeypatch.setitem(TOOLS, tool.name, replaced)
        result = result_of(llm, individual, tool.name, {})
        assert (result["error"]["type"], result["meta"]["retryable"]) == (kind, retryable)
        assert "secret" not in json.dumps(result)


def test_the_offered_tools_are_those_that_are_carried_out() -> None:
    assert {**portfolio_tools.TOOLS, **analytics_tools.TOOLS}.items() <= TOOLS.items()


class TestBounded:
    def test_what_fits_is_left_alone(self) -> None:
        data = {"a": [1.123456789] * 5}
        assert bounded(data, 1_000) == (data, {})

    def test_the_largest_positions_are_kept(self) -> None:
        data = {"holdings": [{"symbol": f"S{n}", "market_value": n - 50} for n in range(80)]}
        cut, cuts = bounded(data, 1_000)
        kept = [each["market_value"] for each in cut["holdings"]]
        assert len(json.dumps(cut, separators=(",", ":"))) <= 1_000
        assert cuts == {"holdings": {"shown": len(kept), "of": 80}}
        assert kept[0] == -50
        assert min(map(abs, kept)) >= 50 - len(kept)

    def test_the_newest_part_of_a_series_is_kept(self) -> None:
        days = [f"2025-01-{day:02}" for day in range(1, 32)]
        data = {"x": {"dates": days, "close": list(range(31)), "source": "s"}}
        cut, _ = bounded(data, 200)
        assert cut["x"]["dates"][-1] == "2025-01-31"
        assert cut["x"]["close"][-1] == 30
        assert len(cut["x"]["dates"]) == len(cut["x"]["close"])

    def test_a_matrix_is_cut_and_numbers_keep_six_digits(self) -> None:
        symbols = [f"S{n}" for n in range(30)]
        matrix = {a: dict.fromkeys(symbols, 0.123456789) for a in symbols}
        cut, cuts = bounded({"matrix": matrix}, 5_000)
        assert len(json.dumps(cut, separators=(",", ":"))) <= 5_000
        assert cut["matrix"]["S0"]["S0"] == 0.123457
        assert cuts["matrix"]["of"] == 30

    def test_what_cannot_be_cut_is_an_excerpt(self) -> None:
        cut, _ = bounded({"text": "x" * 500}, 100)
        assert set(cut) == {"excerpt"}
        assert len(cut["excerpt"]) <= 100
