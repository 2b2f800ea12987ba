"""The checks of a backend, in the order in which they are reported."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

from app.readiness import DatabaseState
from ops.backend.not_ready import databases_in_the_way
from ops.backend.serving import served_before
from ops.backend.supervised import SupervisedBackend
from ops.backend.trial import new_pair_at, without_fence
from ops.endpoints import Endpoints
from ops.http_answer import PAIR_HEADER, http_answer
from ops.probe_accounts import reachable_accounts
from ops.settings import OperatorSettings
from ops.verify.http.analytics import aggregate_analytics, analytics_populated
from ops.verify.http.chat import ChatChecks
from ops.verify.http.exchange import AbsentError, Answer, Exchange, HttpTarget, UnansweredError
from ops.verify.http.log_scan import log_scan
from ops.verify.http.logins import intrusion_faults, login_faults
from ops.verify.http.portfolios import batch_day, portfolios_complete
from ops.verify.http.visit import UnaskedError, Visit
from ops.verify.report import Check, Verdict, judged, skipped
from ops.verify.subject import Subject

_SHOWN = 40
_SECONDS = 10.0


class _HttpCheck(NamedTuple):
    """A check, and whether a backend must have what it asks for."""

    name: str
    question: Callable[[Subject, Visit], Verdict]
    required: bool = True


@contextmanager
def backend_checks(settings: OperatorSettings, endpoints: Endpoints) -> Iterator[tuple[Check, ...]]:
    """The checks of the backend that BACKEND_URL names, else of the stack's own or of the one
    beside the embedded databases, until the block ends. While it serves from the old pair, the new
    one is asked at its gate. Without a backend they are skipped, saying what to do; so are those
    that need a user where there is nobody to log in as.

    Raises:
        ConfigurationError: see `ops.probe_accounts.probe_accounts`.
    """
    with ExitStack() as stack:
        target = _known_backend(settings, endpoints, stack)
        if target is not None:
            yield http_checks(target)
        elif settings.embedded:
            run = "no backend runs here; run `sigmasight rebuild`, or set BACKEND_URL"
            yield unasked_checks(run)
        else:
            yield unasked_checks("set BACKEND_URL to the backend that serves from these databases")


def http_checks(target: HttpTarget) -> tuple[Check, ...]:
    """`checks_of` a visit that asks nothing else."""
    return checks_of(Visit(target))


def checks_of(visit: Visit) -> tuple[Check, ...]:
    """The checks of one visit to a backend, for `ops.verify.verify`.

    What is absent from a backend, or not as the contract says, is reported by name; nothing that
    it answers makes a check crash or hang.
    """
    return tuple(Check(each.name, partial(_answer, each, visit)) for each in _checks())


def unasked_checks(reason: str) -> tuple[Check, ...]:
    """The same checks where there is no backend to ask: skipped, each with the reason."""
    return tuple(Check(each.name, lambda _: skipped(reason)) for each in _checks())


def _checks() -> tuple[_HttpCheck, ...]:
    chat = ChatChecks()
    return (
        _HttpCheck("backend alive", _alive_and_ready),
        _HttpCheck("probe logins", _probe_logins),
        _HttpCheck("chat", chat.answer),
        _HttpCheck("portfolios complete", portfolios_complete),
        _HttpCheck("analytics populated", analytics_populated),
        _HttpCheck("aggregate analytics", aggregate_analytics, required=False),
        _HttpCheck("retrieved documents", chat.documents, required=False),
        _HttpCheck("batch day", batch_day),
        _HttpCheck("backend log", log_scan),
    )


def _answer(check: _HttpCheck, visit: Visit, subject: Subject) -> Verdict:
    try:
        with visit.under_way():
            if check.question is not _alive_and_ready:
                visit.reach()
            return check.question(subject, visit)
    except UnaskedError as error:
        return skipped(str(error))
    except UnansweredError as error:
        required = check.required or not isinstance(error, AbsentError)
        return Verdict("fail" if required else "skipped", str(error))


def _alive_and_ready(_: Subject, visit: Visit) -> Verdict:
    """/health says healthy; /ready and /health/prerequisites, where they exist, agree."""
    health, ready, prerequisites = visit.ask(_words)
    good = (
        health == "healthy" and ready in ("ready", "absent") and prerequisites in ("ok", "absent")
    )
    detail = f"{visit.target}: {health}; /ready: {ready}; prerequisites: {prerequisites}"
    return judged(good, detail, health=health, ready=ready, prerequisites=prerequisites)


async def _words(http: Exchange) -> list[str]:
    """Each page's word; of several that fail, the first page's failure, however fast the others."""
    words = await asyncio.gather(
        _word(http, "/health", "status"),
        _word(http, "/ready", "status", _not_ready),
        _word(http, "/health/prerequisites", "overall_status"),
        return_exceptions=True,
    )
    for failure in words:
        if isinstance(failure, BaseException):
            raise failure
    return [str(word) for word in words]


async def _word(
    http: Exchange, path: str, name: str, why: Callable[[Answer], str] = lambda _: ""
) -> str:
    answer = await http.get(path)
    try:
        # A backend that is not ready says so with 503 and the same fields.
        return answer.field(name, str, 503)[:_SHOWN] + why(answer)
    except AbsentError:
        return "absent"


def _not_ready(answer: Answer) -> str:
    """Which databases are in its way, where it says that, and what to do about each."""
    try:
        databases = answer.field("databases", dict[str, DatabaseState], 503)
    except UnansweredError:
        return ""
    told = databases_in_the_way(databases) if answer.status == 503 else ""
    return f" ({told})" if told else ""


def _probe_logins(_: Subject, visit: Visit) -> Verdict:
    logins, probes = visit.logins(), visit.target.probes
    found, good = visit.ask(lambda http: login_faults(http, logins)), f"{len(logins)} users"
    if visit.target.intrusion:
        found += visit.ask(lambda http: intrusion_faults(http, probes, logins))
        by_password = any(account.password for account in probes.accounts)
        good += f"; a {'wrong password' if by_password else 'forged token'} and no token refused"
    users = sum(login.token is not None for login in logins)
    return judged(not found, "; ".join(found) or good, users=users)


def _known_backend(
    settings: OperatorSettings, endpoints: Endpoints, stack: ExitStack
) -> HttpTarget | None:
    own, log = SupervisedBackend(settings.state), settings.BACKEND_LOG
    url = settings.backend_address or (own.url if settings.embedded else None)
    if url is None:
        return None
    if settings.BACKEND_URL is None:
        log = log or (own.log if settings.embedded else None)
    if settings.BACKEND_URL is None or _serves_old(url):
        before = served_before(settings, endpoints)
        url = stack.enter_context(new_pair_at(endpoints.core, endpoints.ai, before, url))
    else:  # one that stands by, where a rollback has left a fence
        stack.enter_context(without_fence(endpoints.core, endpoints.ai))
    probes = reachable_accounts(settings, endpoints.legacy, endpoints.core)
    return HttpTarget(url, probes, log)


def _serves_old(url: str) -> bool:
    answer = http_answer(f"{url}/health", _SECONDS)
    return answer is not None and answer.headers.get(PAIR_HEADER) == "old"
