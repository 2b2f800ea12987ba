"""Verification over HTTP of a sound backend, of one that errs in one thing, and after a kill."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.books.run_lock import exclusive_chat_check
from ops.connection import connect
from ops.demo.marker import DEMO_USERS
from ops.embedded.server import EmbeddedServer
from ops.knowledge import seed_knowledge_base
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.probe_accounts import UNNAMED, ProbeAccounts, demo_accounts, probe_accounts
from ops.settings import OperatorSettings
from ops.verify import CheckResult, Subject
from ops.verify.http.checks import http_checks
from ops.verify.http.exchange import HttpTarget
from ops.verify.run import answer
from tests.api.backend import SECRET_KEY, backend_process
from tests.api.conftest import DEMO_PASSWORD
from tests.api.killed_verification import (
    Verified,
    add_traces,
    kill_in_the_chat,
    traces,
    users_own,
)
from tests.api.tampering import (
    Tampering,
    between,
    doubled,
    failing_tool,
    of_another_run,
    of_chat,
    of_json,
    of_status,
    renumbered,
    setting,
    silenced,
    swapped,
    with_data,
    with_error,
    without,
    without_rag,
)
from tests.databases import create_database
from tests.groups import soaked_unless
from tests.integration.verify_http.tiny_server import Request


@pytest.fixture(scope="module")
def backend(
    server: EmbeddedServer,
    backfilled_template: str,
    ai_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Verified]:
    """A backend of its own, because a killed verification leaves rows for a while."""
    core, ai = create_database(server, backfilled_template), create_database(server, ai_template)
    seed_knowledge_base(ai)
    with backend_process(core, ai, tmp_path_factory.mktemp("verified")) as process:
        yield Verified(process.answering(), core, ai, process.log)


DEMO = demo_accounts(DEMO_PASSWORD)


def subject_of(backend: Verified) -> Subject:
    return Subject(backend.core, backend.ai, None, FIRST_DAY, LAST_DAY)


def asked(
    backend: Verified, url: str, *names: str, probes: ProbeAccounts = DEMO
) -> dict[str, CheckResult]:
    checks = http_checks(HttpTarget(url, probes, backend.log))
    wanted = [check for check in checks if not names or check.name in names]
    return {check.name: answer(subject_of(backend), check) for check in wanted}


def marked(backend: Verified) -> int:
    """How many of verification's own conversations there are."""
    with connect(backend.core, application_name="tests") as core:
        row = core.execute(
            "SELECT count(*) FROM agent_conversations WHERE metadata ->> 'route' = '/verification'"
        ).fetchone()
    return row[0] if row else 0


def test_a_sound_backend_passes_every_check_and_keeps_nothing(backend: Verified) -> None:
    results = asked(backend, backend.url)
    assert {name: r.detail for name, r in results.items() if r.outcome != "pass"} == {}
    assert marked(backend) == 0
    assert results["portfolios complete"].measured["portfolios"] >= len(DEMO_USERS)
    assert results["analytics populated"].measured["available"] > 30
    assert re.search(
        r"list_user_portfolios \d+ ms, get_portfolio_complete \d+ ms", results["chat"].detail
    )


def signed(backend: Verified, folder: Path, key: str) -> ProbeAccounts:
    told = {
        "SIGMASIGHT_HOME": folder,
        "PROBE_ACCOUNTS": "Demo_HNW@sigmasight.com",
        "PROBE_SIGNING": "1",
        "SECRET_KEY": key,
    }
    return probe_accounts(OperatorSettings.model_validate(told), None, backend.core)


def test_users_whose_tokens_are_signed_are_asked_alike(backend: Verified, tmp_path: Path) -> None:
    probes = signed(backend, tmp_path, SECRET_KEY)
    results = asked(backend, backend.url, "probe logins", "portfolios complete", probes=probes)
    assert results["probe logins"].detail == "1 users; a forged token and no token refused"
    assert {result.outcome for result in results.values()} == {"pass"}
    other = signed(backend, tmp_path, SECRET_KEY[::-1])
    refused = asked(backend, backend.url, "probe logins", probes=other)["probe logins"]
    assert refused.outcome == "fail"
    assert refused.detail.startswith("demo_hnw@sigmasight.com: GET /api/v1/auth/me answers 401")


def test_without_a_probe_account_what_needs_a_user_is_skipped(backend: Verified) -> None:
    results = asked(backend, backend.url, probes=ProbeAccounts())
    asked_without = {"backend alive", "backend log"}
    skipped = {name: r.detail for name, r in results.items() if r.outcome == "skipped"}
    assert skipped == dict.fromkeys(results.keys() - asked_without, UNNAMED)
    assert results["backend alive"].outcome == "pass"


COMPLETE = r"/complete$"
LIST = r"/data/portfolios$"
# What another case shows as well, of the same check, or tests/unit/test_stream_order.py.
AT_LENGTH = {
    "start comes first",
    "something after the end",
    "numbers go back",
    "another run's event",
    "no value",
    "no holdings",
    "unavailable",
    "no factors",
    "no scenarios",
    "another exposure",
    "an endpoint is absent",
    "an aggregate is empty",
}
ERRING = [
    ("a value", of_json(COMPLETE, setting("holdings.0.market_value", lambda v: v + 1)), "complete"),
    ("no value", of_json(COMPLETE, setting("holdings.0.market_value", lambda v: None)), "complete"),
    ("a holding less", of_json(COMPLETE, setting("holdings", lambda h: h[1:])), "complete"),
    ("no holdings", of_json(COMPLETE, lambda found: found.pop("holdings") and None), "complete"),
    (
        "equity",
        of_json(COMPLETE, setting("portfolio.equity_balance", lambda e: e + 50)),
        "complete",
    ),
    (
        "a count",
        of_json(COMPLETE, setting("positions_summary.long_count", lambda n: 0)),
        "complete",
    ),
    ("a portfolio less", of_json(LIST, lambda found: found[1:]), "complete"),
    ("a wrapped list", of_json(LIST, lambda found: {"portfolios": found}), "complete"),
    ("complete fails", of_status(COMPLETE, 500), "complete"),
    (
        "unavailable",
        of_json(r"portfolio/[^/]+/volatility$", setting("available", lambda a: False)),
        "analytics",
    ),
    (
        "no factors",
        of_json(r"portfolio/[^/]+/factor-exposures$", setting("factors", lambda f: [])),
        "analytics",
    ),
    (
        "no scenarios",
        of_json(r"portfolio/[^/]+/stress-test$", setting("data.scenarios", lambda s: [])),
        "analytics",
    ),
    (
        "another beta",
        of_json(r"/beta-provider-1y$", setting("data.beta_provider_1y", lambda b: b + 0.01)),
        "analytics",
    ),
    (
        "another exposure",
        of_json(r"portfolio/[^/]+/overview$", doubled),
        "analytics",
    ),
    ("an endpoint fails", of_status(r"\w/spread-factors$", 500), "analytics"),
    ("an endpoint is absent", of_status(r"\w/concentration$", 404), "analytics"),
    ("one aggregate fails", of_status(r"/aggregate/beta$", 500), "aggregate"),
    ("an aggregate is empty", of_json(r"/aggregate/beta$", lambda found: []), "aggregate"),
    (
        "yesterday",
        of_json(r"/snapshot$", setting("snapshot_date", lambda d: "2025-12-18")),
        "batch",
    ),
    ("a tool less", of_chat(without("tool_call", tool_name="get_portfolio_complete")), "chat"),
    ("no tool result", of_chat(without("tool_result")), "chat"),
    ("a tool fails", of_chat(failing_tool), "chat"),
    ("an error", of_chat(with_error), "chat"),
    ("another answer", of_chat(silenced), "chat"),
    ("another final text", of_chat(with_data("done", "final_text", lambda t: t + ".")), "chat"),
    ("start comes first", of_chat(swapped), "chat"),
    ("no end", of_chat(lambda frames: frames[:-1]), "chat"),
    ("something after the end", of_chat(lambda frames: [*frames, frames[2]]), "chat"),
    ("numbers go back", of_chat(renumbered), "chat"),
    ("another run's event", of_chat(of_another_run), "chat"),
    ("invented documents", of_chat(with_data("start", "rag", lambda r: {"titles": ["x"]})), "docs"),
    ("no documents", of_chat(with_data("start", "rag", lambda r: {"titles": []})), "docs"),
    ("everybody may log in", of_status(r"/auth/login$", 200), "logins"),
    ("no token needed", of_status(LIST, 200), "logins"),
]
CHECKS = {
    "complete": "portfolios complete",
    "analytics": "analytics populated",
    "aggregate": "aggregate analytics",
    "batch": "batch day",
    "chat": "chat",
    "docs": "retrieved documents",
    "logins": "probe logins",
}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        pytest.param(c, n, id=f"{n}: {i}", marks=soaked_unless(i not in AT_LENGTH))
        for i, c, n in ERRING
    ],
)
def test_what_errs_in_one_thing_fails_there(
    backend: Verified, change: Tampering, check: str
) -> None:
    with between(backend.url, change) as url:
        result = asked(backend, url, CHECKS[check])[CHECKS[check]]
    assert result.outcome == "fail", result
    assert "could not be checked" not in result.detail
    assert marked(backend) == 0


@pytest.mark.parametrize(
    ("change", "check", "outcome", "reason"),
    [
        (of_status(r"/aggregate/", 404), "aggregate analytics", "skipped", "has no aggregate"),
        (of_chat(with_data("start", "model", lambda m: m)), "chat", "pass", "characters that name"),
        (
            of_chat(without_rag),
            "retrieved documents",
            "skipped",
            "does not say which documents",
        ),
        (of_status(r"/risk-metrics$", 404), "analytics populated", "pass", "deprecated, is absent"),
        (of_status(r"/ready$", 404), "backend alive", "pass", "/ready: absent"),
    ],
    ids=["aggregate", "nothing changed", "documents", "risk-metrics", "ready"],
)
def test_what_a_backend_may_lack_is_reported(
    backend: Verified,
    change: Tampering,
    check: str,
    outcome: str,
    reason: str,
) -> None:
    with between(backend.url, change) as url:
        result = asked(backend, url, check)[check]
    assert result.outcome == outcome, result
    assert reason in result.detail


def test_what_a_killed_verification_left_is_removed_by_the_next(backend: Verified) -> None:
    left, own = kill_in_the_chat(backend), users_own(backend)
    for exchange in (left, own):
        add_traces(backend, exchange)
    result = asked(backend, backend.url, "chat")["chat"]
    assert result.outcome == "pass", result
    assert "1 of earlier runs removed" in result.detail
    assert marked(backend) == 0
    assert traces(backend, left) == (0, 0, 0)
    assert traces(backend, own) == (1, 1, 1)
    # The backend noticed that its listener was gone, and had no trouble with it.
    assert asked(backend, backend.url, "backend log")["backend log"].outcome == "pass"


def test_a_user_who_is_chatting_already_is_asked_again(backend: Verified) -> None:
    busy = [of_status("/chat/send$", 429)] * 2

    def change(request: Request, body: bytes) -> bytes | None:
        asked_now = busy and request.path.endswith("/chat/send")
        return busy.pop()(request, body) if asked_now else None

    with between(backend.url, change) as url:
        assert asked(backend, url, "chat")["chat"].outcome == "pass"
    assert busy == []


def test_two_verifications_do_not_talk_at_once(
    backend: Verified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.books.run_lock.WAIT_SECONDS", 0.3)
    with exclusive_chat_check(backend.core):
        results = asked(backend, backend.url, "chat", "retrieved documents")
    reasons = {(result.outcome, result.detail) for result in results.values()}
    assert reasons == {("skipped", "another verification talks to the chat")}
