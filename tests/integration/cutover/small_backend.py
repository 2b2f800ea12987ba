"""A backend of a few routes, of either pair, in a thread: what a cutover asks, it answers from the
databases. Each fault is one way of answering wrongly, at one address."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import UnionType
from typing import Any, Literal, get_origin

import psycopg
from psycopg.rows import dict_row
from sqlalchemy.engine import URL
from typing_extensions import get_type_hints, is_typeddict

from app.data.complete import CompleteHolding, PortfolioComplete
from app.data.portfolios import ListedPortfolio
from app.sql_files import statement
from ops.books.active_pair import Pair
from ops.connection import conninfo

PASSWORD = "demo"
Fault = Literal[
    "silent",
    "wrong pair",
    "unnamed",
    "unwell",
    "no logins",
    "wrong portfolio",
    "no portfolio",
    "no chat",
]
Answer = tuple[int, Any]
_HELD = f"""
SELECT id::text, symbol, position_type, coalesce(quantity * price
    * CASE WHEN position_type IN ('LONG', 'SHORT') THEN 1 ELSE 100 END, 0) AS market_value
FROM ({statement("open_holdings").text.replace(":portfolios", "%s")}) AS held
"""
_SYMBOLS = """
SELECT string_agg(DISTINCT symbol, ', ') AS symbols
FROM positions
JOIN portfolios ON portfolios.id = portfolio_id
JOIN users ON users.id = user_id
WHERE email = %s
"""


@dataclass
class SmallBackend:
    """Attributes:
    answering: which pair answers at the address of a role: `public`, `old` or `new`.
    databases: where that pair's users and portfolios are.
    faults: role → what is wrong there.
    turned_away: what was asked without the right to, as a backend may count it.
    """

    databases: Mapping[Pair, URL]
    answering: Callable[[str], Pair | None] = lambda role: None
    faults: dict[str, Fault] = field(default_factory=dict)
    turned_away: list[str] = field(default_factory=list)

    def answer(
        self, pair: Pair | None, method: str, path: str, token: str, body: dict[str, Any]
    ) -> Answer:
        """The status, and what is sent as JSON, or as text where it is that."""
        role, _, rest = path.lstrip("/").partition("/")
        fault = self.faults.get(role)
        if pair is None:
            return 503, {"detail": "nobody is here"}
        for pattern, route in _ROUTES.items():
            if found := re.fullmatch(pattern, f"{method} /{rest}"):
                question = _Question(self.databases.get(pair), token, body, found.groups(), fault)
                status, said = route(question)
                self.turned_away += [path] if status == 401 else []
                return status, said
        return 404, {"detail": "Not Found"}

    def named(self, pair: Pair | None, role: str) -> str | None:
        """What the answers of a pair at an address say which it is."""
        wrong = {"old": "new", "new": "old"}.get(pair or "")
        return {"wrong pair": wrong, "unnamed": None}.get(self.faults.get(role, ""), pair)


@dataclass(frozen=True)
class _Question:
    url: URL | None
    token: str
    body: dict[str, Any]
    parts: tuple[str, ...]
    fault: Fault | None

    @property
    def health(self) -> str:
        return "unhealthy" if self.fault == "unwell" else "healthy"

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        assert self.url is not None
        with psycopg.connect(conninfo(self.url), application_name="backend") as session:
            cursor = session.cursor(row_factory=dict_row).execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []


def blank(shape: Any) -> Any:
    """The least that has the shape of an answer."""
    if is_typeddict(shape):
        shown = get_type_hints(shape)
        return {name: blank(shown[name]) for name in shape.__required_keys__}
    made = get_origin(shape) or shape
    return made() if isinstance(made, type) and made is not UnionType else None


def _log_in(question: _Question) -> Answer:
    email = question.body["email"]
    known = question.rows("SELECT id FROM users WHERE email = %s AND is_active", email)
    if question.fault == "no logins" or not known or question.body["password"] != PASSWORD:
        return 401, {"detail": "no"}
    return 200, {"access_token": email}


def _portfolios(question: _Question) -> Answer:
    if not question.token:
        return 401, {"detail": "no token"}
    listed = question.rows(
        "SELECT p.id::text FROM portfolios AS p JOIN users AS u ON u.id = p.user_id"
        " WHERE u.email = %s AND p.deleted_at IS NULL",
        question.token,
    )
    return 200, [{**blank(ListedPortfolio), **each} for each in listed]


def _complete(question: _Question) -> Answer:
    (portfolio,) = question.rows(
        "SELECT equity_balance::float8 AS equity FROM portfolios WHERE id = %s", *question.parts
    )
    held = question.rows(_HELD, list(question.parts))
    if question.fault == "no portfolio":
        return 500, {"detail": "broken"}
    net = sum(each["market_value"] for each in held) + (question.fault == "wrong portfolio")
    equity = portfolio["equity"]
    sides = [each["position_type"] for each in held]
    answer = blank(PortfolioComplete)
    answer["portfolio"] |= {
        "equity_balance": equity or 0.0,
        "net_asset_value": net if equity is None else equity,
        "position_count": len(held),
    }
    answer["positions_summary"] |= {
        "long_count": sides.count("LONG"),
        "short_count": sides.count("SHORT"),
        "option_count": sum(side not in ("LONG", "SHORT") for side in sides),
        "total_market_value": net,
    }
    return 200, {**answer, "holdings": [{**blank(CompleteHolding), **each} for each in held]}


def _begin_talk(question: _Question) -> Answer:
    return 201, question.rows(
        "INSERT INTO agent_conversations (id, user_id, mode, provider, created_at, updated_at,"
        " metadata) SELECT gen_random_uuid(), id, 'green', 'rules', now(), now(),"
        " jsonb_build_object('route', %s::text) FROM users WHERE email = %s RETURNING id::text",
        question.body["route"],
        question.token,
    )[0]


def _say(question: _Question) -> Answer:
    held = question.rows(_SYMBOLS, question.token)[0]["symbols"]
    text = f"You hold {held}." if question.fault != "no chat" else "I do not know."
    kept = question.rows(
        "INSERT INTO agent_messages (id, conversation_id, role, content, tool_calls, created_at)"
        " VALUES (gen_random_uuid(), %s, 'assistant', %s, '[]', now()) RETURNING id::text",
        question.body["conversation_id"],
        text,
    )
    tools = ("list_user_portfolios", "get_portfolio_complete")
    calls = [{"tool_name": tool, "tool_call_id": tool} for tool in tools]
    result = {"duration_ms": 1.0, "tool_result": {"data": ["something"]}}
    events: list[tuple[str, dict[str, Any]]] = [
        ("message_created", {"assistant_message_id": kept[0]["id"]}),
        ("start", {}),
        *(("tool_call", call) for call in calls),
        *(("tool_result", {**call, **result}) for call in calls),
        ("token", {"delta": text}),
        ("done", {"final_text": text}),
    ]
    return 200, "".join(_frame(number, *event) for number, event in enumerate(events))


def _frame(number: int, name: str, data: dict[str, Any]) -> str:
    payload = {"type": name, "run_id": "run", "seq": number, "data": data, **data}
    return f"event: {name}\ndata: {json.dumps(payload)}\n\n"


def _end_talk(question: _Question) -> Answer:
    question.rows("DELETE FROM agent_conversations WHERE id = %s", *question.parts)
    return 200, {}


_ROUTES: dict[str, Callable[[_Question], Answer]] = {
    "GET /health": lambda question: (200, {"status": question.health}),
    "GET /ready": lambda _: (200, {"status": "ready"}),
    "POST /api/v1/auth/login": _log_in,
    "GET /api/v1/auth/me": lambda question: (200, {"email": question.token}),
    "GET /api/v1/data/portfolios": _portfolios,
    "GET /api/v1/data/portfolio/([^/]+)/complete": _complete,
    "POST /api/v1/chat/conversations": _begin_talk,
    "POST /api/v1/chat/send": _say,
    "DELETE /api/v1/chat/conversations/([^/]+)": _end_talk,
}


@contextmanager
def serving(backend: SmallBackend) -> Iterator[str]:
    """Serve until the block ends; yields the address, below which each role has its own."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            body = json.loads(self.rfile.read(length) or b"{}")
            role = self.path.split("/")[1]
            pair = backend.answering(role)
            status, said = backend.answer(pair, self.command, self.path, token, body)
            if backend.faults.get(role) == "silent":
                return
            named = backend.named(pair, role)
            text = said if isinstance(said, str) else json.dumps(said)
            self.send_response(status)
            if named is not None:
                self.send_header("X-SigmaSight-Pair", named)
            kind = "text/event-stream" if isinstance(said, str) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = _answer

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
