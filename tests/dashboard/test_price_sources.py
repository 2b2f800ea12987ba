"""New prices from legacy and from Yahoo: what is asked for, what comes, and what is said of the
rest. The real yfinance (tried with 1.7.0) asks a stand-in by HTTPS, where it is installed."""

import json
import re
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from prefect import Flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy.engine import URL

import ops.price_sources as room
from flows import cli
from flows.new_prices import take_new_prices
from ops.connection import connect
from ops.endpoints import Endpoints
from ops.price_files.reading import read_prices
from ops.price_sources import (
    Answers,
    ask_yahoo,
    prepare_yfinance,
    wanted_prices,
    write_legacy_prices,
    write_prices,
)
from ops.settings import operator_settings
from tests.certificates import authority, certified
from tests.dashboard.dashboard import Dashboard
from tests.databases import NewDatabase

FRIDAY, MONDAY = date(2025, 12, 19), date(2025, 12, 22)
LIMIT = "YFRateLimitError: Too Many Requests"


def asked(symbols: str) -> Answers:
    return ask_yahoo(symbols.split(), FRIDAY, MONDAY, lambda done: None)


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long nobody was asked."""
    seconds: list[float] = []
    monkeypatch.setattr(room, "sleep", seconds.append)
    return seconds


class YFRateLimitError(Exception):
    """Named as Yahoo's."""


@pytest.mark.parametrize(
    ("failures", "came", "missing", "waits"),
    [
        ({}, "A B C D", {}, 0),
        ({"B": 2}, "A B C D", {}, 2),  # a limit that ends, or a time-out
        ({"B": 99}, "A C D", {"B": LIMIT}, 3),
        ({"A": 1, "C": 1}, "A B C D", {}, 2),
        (
            {"B": 99, "C": 99, "D": 99},
            "A",
            {
                "B": LIMIT,
                "C": LIMIT,
                "D": "ConnectionAbortedError: not asked for, after the failures before it",
            },
            3,
        ),
    ],
)
def test_what_fails_is_asked_for_again_until_it_is_not_the_symbol(
    waited: list[float],
    monkeypatch: pytest.MonkeyPatch,
    failures: dict[str, int],
    came: str,
    missing: dict[str, str],
    waits: int,
) -> None:
    left = dict(failures)

    def history(symbol: str, first: date, last: date) -> Sequence[tuple[object, ...]]:
        if left.get(symbol):
            left[symbol] -= 1
            raise YFRateLimitError("Too Many Requests")
        return [(symbol, first, 1, 1, 1, 1, 1)]

    monkeypatch.setattr(room, "history", history)
    answers = asked("A B C D")
    assert " ".join(row[0] for row in answers.rows) == came
    assert (answers.missing, len(waited)) == (missing, waits)


def test_without_the_package_one_line_says_how_to_install_it_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)
    monkeypatch.setenv("PRICES_FROM", "yfinance")
    monkeypatch.setenv("SIGMASIGHT_HOME", str(tmp_path / "home"))
    operator_settings.cache_clear()
    monkeypatch.setattr(sys, "argv", ["sigmasight", "dashboard"])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err == (
        "error: yfinance is not installed here; run `.venv/bin/pip install yfinance`, or leave "
        "PRICES_FROM out\n"
    )
    assert not (tmp_path / "home").exists()


class Yahoo(BaseHTTPRequestHandler):
    """A proxy that is Yahoo itself: a close of 100 on each weekday, and what it says otherwise."""

    protocol_version = "HTTP/1.1"
    issuer = authority("Yahoo's")
    folder: Path

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        host = self.path.partition(":")[0]
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*certified(self.issuer, host).write(self.folder, host))
        self.connection = tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)  # type: ignore[assignment]
        self.close_connection = False

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        symbol = parts.path.rpartition("/")[2] if "/chart/" in parts.path else ""
        known = {"": 404, "GONE": 404, "LIMIT": 429, "BROKEN": 500}
        code = known.get(symbol, 200)
        none = {"result": None, "error": {"code": "Not Found", "description": "No data found"}}
        body = _chart(symbol, parse_qs(parts.query)) if code == 200 else {"chart": none}
        sent = b"<html>" if symbol == "BROKEN" else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        pass


def _chart(symbol: str, query: dict[str, list[str]]) -> dict[str, object]:
    first, last = (int(query.get(name, ["0"])[0]) for name in ("period1", "period2"))
    openings = (datetime(2025, 12, day, 14, 30, tzinfo=UTC) for day in range(1, 32))
    stamps = [int(at.timestamp()) for at in openings if at.weekday() < 5]
    stamps = [stamp for stamp in stamps if first <= stamp < last]
    closes: list[float | None] = [100.0 for _ in stamps]
    if symbol == "HOLE" and closes:
        closes[0] = None
    quote = dict.fromkeys(("open", "high", "low", "close"), closes)
    quote |= {"volume": [3_000_000_000.0 for _ in stamps]}
    zone = {"exchangeTimezoneName": "America/New_York", "timezone": "EST", "gmtoffset": -18000}
    session = {"start": first, "end": first + 1, **zone}
    meta = {"symbol": symbol, "currency": "USD", "instrumentType": "EQUITY", "priceHint": 2, **zone}
    meta |= {"dataGranularity": "1d", "validRanges": ["1d"], "regularMarketTime": last}
    meta |= {"currentTradingPeriod": dict.fromkeys(("pre", "regular", "post"), session)}
    prices = {"quote": [quote], "adjclose": [{"adjclose": closes}]}
    answer = {"meta": meta, "timestamp": stamps, "indicators": prices}
    if symbol == "EMPTY":
        answer = {"meta": meta, "indicators": {"quote": [{}], "adjclose": [{}]}}
    return {"chart": {"result": [answer], "error": None}}


@pytest.fixture(scope="module")
def yahoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whom the real package asks: it is told by its HTTP client's variables alone."""
    pytest.importorskip("yfinance")
    Yahoo.folder = tmp_path_factory.mktemp("yahoo")
    crt, _ = Yahoo.issuer.write(Yahoo.folder, "authority")
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Yahoo) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.server_port}")
        patch.setenv("REQUESTS_CA_BUNDLE", str(crt))
        prepare_yfinance(Yahoo.folder)
        yield
        server.shutdown()


def test_the_real_package_answers_in_part(yahoo: None, waited: list[float], tmp_path: Path) -> None:
    answers = asked("SPY BRK.B HOLE GONE EMPTY LIMIT")
    write_prices(tmp_path / "yfinance.csv", answers.rows)
    rows = read_prices(tmp_path / "yfinance.csv")
    assert list(zip(rows.symbols.tolist(), rows.dates.tolist(), strict=True)) == [
        ("SPY", FRIDAY), ("SPY", MONDAY), ("BRK.B", FRIDAY), ("BRK.B", MONDAY), ("HOLE", MONDAY)
    ]  # fmt: skip
    assert rows.values[0].tolist() == [100, 100, 100, 100, 3e9]
    assert rows.rejected == (6,)
    assert list(answers.missing) == ["GONE", "EMPTY", "LIMIT"]
    assert answers.missing["LIMIT"].startswith(LIMIT)
    assert waited == list(room.WAITS)  # for the limit alone


def test_the_real_package_meets_a_broken_answer_and_a_dead_address(
    yahoo: None, waited: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "JSON" in asked("BROKEN").missing["BROKEN"]
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    answers = asked("A B C")
    assert re.match(r"\w*(Proxy|Connection)\w*Error: ", answers.missing["A"])
    assert answers.missing["C"].endswith("not asked for, after the failures before it")


@pytest.fixture
def pair(new_database: NewDatabase, core_template: str) -> Endpoints:
    """Core, and a legacy that has a day more; SPY alone."""
    core, legacy = new_database(core_template), new_database(core_template)
    for url, days in ((core, [FRIDAY]), (legacy, [FRIDAY, MONDAY])):
        with connect(url, application_name="tests") as database:
            for day in days:
                database.execute(
                    "INSERT INTO market_data_cache (id, symbol, date, close, data_source,"
                    " created_at, updated_at)"
                    " VALUES (gen_random_uuid(), 'SPY', %s, 100, 'tests', now(), now())",
                    [day],
                )
    return Endpoints(core, core, legacy, "external")


def test_prices_of_legacy_are_a_price_file(pair: Endpoints, tmp_path: Path) -> None:
    assert pair.legacy is not None
    write_legacy_prices(pair.legacy, tmp_path / "legacy.csv")
    rows = read_prices(tmp_path / "legacy.csv")
    assert (rows.dates.tolist(), rows.values[0].tolist()) == ([FRIDAY, MONDAY], [100.0] * 4 + [0])


def test_the_market_is_wanted_first_and_then_what_lacks_most(pair: Endpoints) -> None:
    with connect(pair.core, application_name="tests") as database:
        database.execute(
            "INSERT INTO market_data_cache (id, symbol, date, close, data_source, created_at,"
            " updated_at) VALUES (gen_random_uuid(), 'IWM', %s, 100, 'tests', now(), now())",
            [FRIDAY],
        )
    symbols, first = wanted_prices(pair.core)
    assert (symbols[:2], symbols[-1], len(symbols)) == (["SPY", "MTUM"], "IWM", 8)
    assert first == FRIDAY


@pytest.fixture
def night(
    dashboard: Dashboard, pair: Endpoints, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Flow[[], None]]:
    """What a nightly backfill begins with, on that pair."""
    monkeypatch.setenv("SIGMASIGHT_HOME", str(tmp_path))
    monkeypatch.setattr("flows.new_prices.resolve_endpoints", lambda settings: pair)
    operator_settings.cache_clear()
    with temporary_settings({PREFECT_API_URL: dashboard.api_url}):
        yield Flow(take_new_prices)


def days(core: URL) -> list[date]:
    with connect(core, application_name="tests") as database:
        return [row[0] for row in database.execute("SELECT date FROM market_data_cache ORDER BY 1")]


def test_a_night_takes_what_legacy_has_until_the_swap(
    night: Flow[[], None],
    pair: Endpoints,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("PRICES_FROM", "legacy")
    swapped = (
        "INSERT INTO ops.cutovers (kind, state, plan_id, legacy, accepted_loss, ended_at)"
        " VALUES ('swap', 'done', 'x', '{}', 0, now())"
    )
    with connect(pair.core, application_name="tests", autocommit=True) as database:
        database.execute(swapped)
        night()
        assert days(pair.core) == [FRIDAY]
        assert "PRICES_FROM=legacy ends with the swap" in caplog.text
        database.execute("DELETE FROM ops.cutovers")
    night()
    assert days(pair.core) == [FRIDAY, MONDAY]


def test_a_night_takes_what_yahoo_answers_and_names_the_rest(
    night: Flow[[], None],
    yahoo: None,
    pair: Endpoints,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("PRICES_FROM", "yfinance")
    monkeypatch.setattr("flows.new_prices.wanted_prices", lambda core: (["SPY", "GONE"], FRIDAY))
    night()
    assert days(pair.core)[:2] == [FRIDAY, MONDAY]
    assert "no prices of 1 of 2 symbols (GONE), first GONE: " in caplog.text
