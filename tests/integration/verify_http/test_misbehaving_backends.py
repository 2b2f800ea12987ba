"""Whatever answers in a backend's place: every check ends, in time, with a reason."""

import gzip
import json
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.demo.marker import DEMO_USERS
from ops.embedded.server import EmbeddedServer, free_port
from ops.probe_accounts import demo_accounts
from ops.seed import seed
from ops.verify import Subject
from ops.verify.http.checks import http_checks, unasked_checks
from ops.verify.http.exchange import HttpTarget, Patience
from ops.verify.report import CheckResult
from ops.verify.run import answer
from tests.databases import create_database
from tests.groups import soaked_unless
from tests.integration.verify_http.tiny_server import (
    Behaviour,
    Chunks,
    Request,
    drip,
    json_reply,
    reply,
    serving,
)

# As long as users wait: a machine under load is no misbehaving backend.
PATIENT = Patience(size=100_000)
# Nothing more comes of these, however long they are waited for.
HANGING = dict.fromkeys(
    (
        "never answers",
        "head without an end",
        "drips without an end",
        "logs in, then never answers",
    ),
    replace(PATIENT, answer=0.3, check=3.0),
) | {"chat: stream without an end": replace(PATIENT, stream=1.0)}
# A machine under load needs longer for the same; a hang would last for ever.
MOST_SECONDS = 60.0
REDIRECTED = "https://elsewhere.example/login"


def always(response: bytes) -> Behaviour:
    return lambda request: iter([response])


def logging_in(rest: Behaviour) -> Behaviour:
    """Healthy, and lets everybody in; the rest is as given."""

    def behave(request: Request) -> Chunks:
        if request.path == "/health":
            return iter([json_reply(200, {"status": "healthy"})])
        if request.path.endswith("/auth/login"):
            if b"not the password" in request.body:
                return iter([json_reply(401, {"detail": "no"})])
            email = json.loads(request.body)["email"]
            return iter([json_reply(200, {"access_token": email, "token_type": "bearer"})])
        if request.path.endswith("/auth/me") and request.token:
            return iter([json_reply(200, {"email": request.token})])
        return rest(request)

    return behave


def not_ready(**databases: object) -> Behaviour:
    return answering_ready(503, status="not ready", databases=databases)


def answering_ready(status_code: int, **document: object) -> Behaviour:
    said = json_reply(status_code, document)
    absent = json_reply(404, {"detail": "Not Found"})
    return logging_in(lambda request: iter([said if request.path == "/ready" else absent]))


def state(status: str, revision: str | None = None) -> dict[str, str | None]:
    return {"status": status, "revision": revision, "head": "0007"}


def chatting(stream: Callable[[], Chunks]) -> Behaviour:
    """Everything absent but a chat that streams so."""

    def behave(request: Request) -> Chunks:
        if request.path.endswith("/conversations"):
            return iter([json_reply(201, {"id": "5f3c"})])
        if request.path.endswith("/send"):
            return stream()
        return iter([json_reply(404, {"detail": "Not Found"})])

    return logging_in(behave)


def event_stream(*frames: str) -> Behaviour:
    return chatting(lambda: iter([reply(200, "".join(frames).encode(), "text/event-stream")]))


def frame(name: str, **data: object) -> str:
    payload = {"type": name, "run_id": "r", "seq": 0, "data": data, **data}
    return f"event: {name}\ndata: {json.dumps(payload)}\n\n"


def endless_stream() -> Chunks:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    yield from drip(frame("heartbeat").encode())


def endless_head(_: Request) -> Chunks:
    yield b"HTTP/1.1 200 OK\r\nX-Long: "
    yield from drip(b"x")


def silent(_: Request) -> Chunks:
    time.sleep(1)
    yield b""


def flood(_: Request) -> Chunks:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n["
    while True:
        yield b"1," * 100_000


BEGUN = (frame("message_created", assistant_message_id="x"), frame("start"))
DEEP = b"[" * 50_000 + b"]" * 50_000
WEB_PAGE = reply(200, b"<html>Welcome</html>", "text/html")
BOMB = gzip.compress(b"0" * 50_000_000)

BEHAVIOURS: dict[str, Behaviour] = {
    "HTML everywhere": always(WEB_PAGE),
    "404 everywhere": always(json_reply(404, {"detail": "Not Found"})),
    "405 everywhere": always(reply(405, b"")),
    "500 everywhere": always(json_reply(500, {"detail": "Internal server error"})),
    "501 everywhere": always(reply(501, b"no", "text/plain")),
    "AI away": not_ready(core=state("ok", "0007"), ai=state("unreachable")),
    "both behind": not_ready(core=state("behind", "0006"), ai=state("behind")),
    "not ready, in words of its own": not_ready(core="down"),
    "redirects": always(reply(307, b"", "text/plain", f"Location: {REDIRECTED}")),
    "redirects in a circle": always(reply(302, b"", "text/plain", "Location: /health")),
    "no HTTP": always(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "nothing": always(b""),
    "closes in the middle": always(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "never answers": silent,
    "head without an end": endless_head,
    "body without an end": flood,
    "drips without an end": lambda request: drip(b"HTTP/1.1 200 OK\r\n"),
    "other JSON": always(json_reply(200, {"ok": True, "items": [1, None, "x"]})),
    "a list": always(json_reply(200, [])),
    "a number": always(reply(200, b"7")),
    "null": always(reply(200, b"null")),
    "broken JSON": always(reply(200, b'{"status": ')),
    "NaN": always(reply(200, b'{"status": NaN}')),
    "deep JSON": always(reply(200, DEEP)),
    "huge number": always(reply(200, b'{"status": ' + b"9" * 5000 + b"}")),
    "not UTF-8": always(reply(200, b'{"status": "\xff\xfe"}')),
    "a bomb": always(reply(200, BOMB, "application/json", "Content-Encoding: gzip")),
    "odd status": always(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"),
    "logs in, then HTML": logging_in(always(WEB_PAGE)),
    "logs in, then nothing": logging_in(always(b"")),
    "logs in, then other JSON": logging_in(always(json_reply(200, {"ok": True}))),
    "logs in, then lists of nulls": logging_in(always(json_reply(200, [None, {}, 3]))),
    "logs in, then never answers": logging_in(silent),
    "chat: no stream": chatting(lambda: iter([json_reply(200, {"answer": "VTI"})])),
    "chat: stream without an end": chatting(endless_stream),
    "chat: empty stream": event_stream(),
    "chat: no frames": event_stream("hello\n\n"),
    "chat: half a frame": event_stream(*BEGUN, "event: token\nda"),
    "chat: data of three lines": event_stream("event: start\ndata: 1\ndata: 2\n\n"),
    "chat: broken JSON": event_stream("event: message_created\ndata: {\n\n"),
    "chat: no envelope": event_stream("event: message_created\ndata: 3\n\n", *BEGUN),
    "chat: no end": event_stream(*BEGUN),
    "chat: done first": event_stream(frame("done"), *BEGUN),
    "chat: two ends": event_stream(*BEGUN, frame("done"), frame("done")),
    "chat: empty done": event_stream(*BEGUN, frame("done")),
    "chat: not UTF-8": chatting(lambda: iter([reply(200, b"\xff\n\n", "text/event-stream")])),
}
# Those that differ in nothing but what a chat streams, and which checks see it; the others find of
# each what they find of the first, "chat: no stream".
STREAMS = {name for name in BEHAVIOURS if name.startswith("chat: ")} - {"chat: no stream"}
STREAMED = {"chat", "retrieved documents", "backend log"}
# And those that differ in what they say of themselves before they lack all else.
UNREADY = {"AI away", "both behind", "not ready, in words of its own"}
ALIVE = {"backend alive", "chat", "backend log"}


@pytest.fixture(scope="module")
def subject(server: EmbeddedServer, core_template: str, ai_template: str) -> Subject:
    """The demo book, everything at the same price."""
    core, ai = create_database(server, core_template), create_database(server, ai_template)
    seed(core, demo_password="demo")
    with connect(core, application_name="tests") as connection:
        connection.execute(
            "INSERT INTO market_data_cache "
            "(id, symbol, date, close, data_source, created_at, updated_at) "
            "SELECT gen_random_uuid(), symbol, '2025-07-03', 100, 'test', now(), now() "
            "FROM (SELECT DISTINCT symbol FROM positions WHERE investment_class = 'PUBLIC') AS s"
        )
    return Subject(core, ai, None, date(2025, 7, 1), date(2025, 7, 3))


Asked = Callable[[str], dict[str, CheckResult]]


@pytest.fixture(scope="module")
def asked_of(subject: Subject) -> Asked:
    """What all checks find of a behaviour, which is asked once for all tests of it."""

    @cache
    def ask(name: str) -> dict[str, CheckResult]:
        begun = time.monotonic()
        with serving(BEHAVIOURS[name]) as url:
            target = HttpTarget(url, demo_accounts("demo"), patience=HANGING.get(name, PATIENT))
            only = STREAMED if name in STREAMS else ALIVE if name in UNREADY else None
            results = asked(subject, target, only)
        assert time.monotonic() - begun < MOST_SECONDS
        return results

    return ask


def asked(
    subject: Subject, target: HttpTarget, only: Collection[str] | None = None
) -> dict[str, CheckResult]:
    results = [
        answer(subject, check)
        for check in http_checks(target)
        if only is None or check.name in only
    ]
    return {result.name: result for result in results}


# The slow ones, of which "logs in, then HTML" and "never answers" show the kind.
AT_LENGTH = {
    f"logs in, then {what}" for what in ("nothing", "other JSON", "lists of nulls", "never answers")
}


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=soaked_unless(each not in AT_LENGTH)) for each in BEHAVIOURS]
)
def test_every_check_ends_in_time_with_a_reason(asked_of: Asked, name: str) -> None:
    results = asked_of(name)
    assert "fail" in {result.outcome for result in results.values()}
    assert results["backend log"].outcome == "skipped"
    for result in results.values():
        assert result.detail
        assert "could not be checked" not in result.detail, result
        assert len(result.detail) < 2000
    assert results["chat"].outcome != "pass"


@pytest.mark.parametrize(
    ("name", "check", "reason"),
    [
        ("HTML everywhere", "backend alive", "/health answers text/html, no JSON"),
        ("404 everywhere", "probe logins", r"POST /api/v1/auth/login is absent (404)"),
        ("redirects", "backend alive", "GET /health answers 307"),
        ("body without an end", "backend alive", "answers more than 100,000 bytes"),
        ("never answers", "backend alive", "GET /health has no end within 0.3 s"),
        ("logs in, then HTML", "chat", "conversations answers text/html, no JSON"),
        (
            "AI away",
            "backend alive",
            "/ready: not ready (its ai database does not answer it: look at its address and log);",
        ),
        (
            "both behind",
            "backend alive",
            "/ready: not ready (its core database is at 0006, not 0007: run `sigmasight migrate`, "
            "or redeploy it, if it is of another version; its ai database is at no revision, not ",
        ),
        ("not ready, in words of its own", "backend alive", "/ready: not ready; prereq"),
        ("chat: stream without an end", "chat", "/send has no end within 1 s"),
        ("chat: no end", "chat", "not message_created, start … done"),
        ("chat: half a frame", "chat", "ends in the middle of a frame"),
        ("chat: two ends", "chat", "2 events done"),
        ("chat: no stream", "chat", "answers application/json, no event stream"),
    ],
)
def test_the_reason_names_what_came(asked_of: Asked, name: str, check: str, reason: str) -> None:
    result = asked_of(name)[check]
    assert result.outcome == "fail"
    assert reason in result.detail


def test_of_one_that_is_ready_nothing_is_in_the_way(subject: Subject) -> None:
    """The old pair's databases are old ones, and are to be."""
    old = dict.fromkeys(("core", "ai"), state("legacy", "k8l9"))
    with serving(answering_ready(200, status="ready", databases=old)) as url:
        results = asked(subject, HttpTarget(url, demo_accounts("demo"), patience=PATIENT))
    assert "/ready: ready; prereq" in results["backend alive"].detail


def test_a_backend_that_lacks_what_may_be_lacking_is_told_so(subject: Subject) -> None:
    absent = logging_in(always(json_reply(404, {"detail": "Not Found"})))
    with serving(absent) as url:
        results = asked(subject, HttpTarget(url, demo_accounts("demo"), patience=PATIENT))
    assert (results["backend alive"].outcome, results["aggregate analytics"].outcome) == (
        "pass",
        "skipped",
    )
    assert "/ready: absent" in results["backend alive"].detail
    assert results["aggregate analytics"].detail == "this backend has no aggregate analytics"
    assert results["chat"].detail == "POST /api/v1/chat/conversations is absent (404)"
    assert results["retrieved documents"].outcome == "skipped"


def test_where_nothing_answers_one_check_says_so(subject: Subject, tmp_path: Path) -> None:
    target = HttpTarget(
        f"http://127.0.0.1:{free_port()}", demo_accounts("demo"), tmp_path / "log", PATIENT
    )
    results = asked(subject, target)
    outcomes = {name: result.outcome for name, result in results.items()}
    assert outcomes.pop("backend alive") == "fail"
    assert set(outcomes.values()) == {"skipped"}
    assert "no backend answers at" in results["chat"].detail


def test_without_a_backend_every_check_is_skipped_with_the_reason(subject: Subject) -> None:
    results = [answer(subject, check) for check in unasked_checks("none is known")]
    names = [
        check.name for check in http_checks(HttpTarget("http://127.0.0.1:1", demo_accounts("demo")))
    ]
    assert [result.name for result in results] == names
    assert {(result.outcome, result.detail) for result in results} == {("skipped", "none is known")}


def test_a_wrong_password_is_explained(subject: Subject) -> None:
    refusing = logging_in(always(json_reply(404, {"detail": "Not Found"})))

    def behave(request: Request) -> Chunks:
        if request.path.endswith("/auth/login"):
            return iter([json_reply(401, {"detail": "Incorrect email or password"})])
        return refusing(request)

    with serving(behave) as url:
        results = asked(subject, HttpTarget(url, demo_accounts("demo"), patience=PATIENT))
    assert f"{DEMO_USERS[0]}: the password is refused; set DEMO_PASSWORD" in (
        results["probe logins"].detail
    )
    assert results["chat"].outcome == "skipped"
    assert "nobody could log in: the password is refused" in results["chat"].detail


def test_a_token_goes_nowhere_else(subject: Subject) -> None:
    """A backend that sends its callers elsewhere gets no follower."""
    seen: list[Request] = []

    def elsewhere(request: Request) -> Chunks:
        seen.append(request)
        return iter([json_reply(200, {})])

    with serving(elsewhere) as other:
        away = reply(307, b"", "text/plain", f"Location: {other}/here", "Set-Cookie: auth_token=x")
        with serving(logging_in(always(away))) as url:
            asked(subject, HttpTarget(url, demo_accounts("demo"), patience=PATIENT))
    assert seen == []


def test_a_database_that_is_away_fails_what_needs_it(subject: Subject) -> None:
    gone: URL = subject.core_url.set(port=free_port())
    with serving(logging_in(always(json_reply(200, {})))) as url:
        results = asked(
            replace(subject, core_url=gone),
            HttpTarget(url, demo_accounts("demo"), patience=PATIENT),
        )
    assert "no PostgreSQL server answers" in results["portfolios complete"].detail
    assert results["portfolios complete"].outcome == "fail"
