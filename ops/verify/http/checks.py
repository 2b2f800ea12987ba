"""The checks of a backend, in the order in which they are reported."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ops.verify.http.aggregate import aggregate_analytics
from ops.verify.http.alive import alive_and_ready
from ops.verify.http.analytics import analytics_populated
from ops.verify.http.batch_day import batch_day
from ops.verify.http.chat import ChatChecks
from ops.verify.http.failures import (
    AbsentError,
    NoAnswerError,
    NobodyLoggedInError,
    UnreachableError,
    UnusableAnswerError,
)
from ops.verify.http.log_scan import log_scan
from ops.verify.http.logins import DEMO_USERS, faults
from ops.verify.http.portfolios import portfolios_complete
from ops.verify.http.target import HttpTarget, Patience
from ops.verify.http.visit import Visit
from ops.verify.report import Check, Finding, judged, skipped
from ops.verify.subject import Subject

Question = Callable[[Subject, Visit], Finding]
_BRIEF = Patience(connect=2.0, answer=6.0, check=8.0)


@dataclass(frozen=True)
class _HttpCheck:
    """A check, and whether a backend may do without what it asks for."""

    name: str
    question: Question
    required: bool = True


def http_checks(target: HttpTarget) -> tuple[Check, ...]:
    """The checks of one visit to a backend, for `ops.verify.verify`.

    What is absent from a backend, or not as the contract says, is reported by name; nothing that
    it answers makes a check crash or hang.
    """
    visit = Visit(target)
    return tuple(Check(each.name, partial(_answer, each, visit)) for each in _checks())


def unasked_checks(reason: str) -> tuple[Check, ...]:
    """The same checks where there is no backend to ask: skipped, each with the reason."""
    return tuple(Check(each.name, lambda _: skipped(reason)) for each in _checks())


def answer_alone(target: HttpTarget) -> Finding:
    """Whether a backend is alive and ready: one question, for those who want to know only that."""
    try:
        return alive_and_ready(Visit(replace(target, patience=_BRIEF)))
    except (AbsentError, NoAnswerError, UnusableAnswerError) as error:
        return Finding("fail", str(error))


def _checks() -> tuple[_HttpCheck, ...]:
    chat = ChatChecks()
    return (
        _HttpCheck("backend alive", _alive),
        _HttpCheck("demo logins", _demo_logins),
        _HttpCheck("chat", chat.answer),
        _HttpCheck("portfolios complete", portfolios_complete),
        _HttpCheck("analytics populated", analytics_populated),
        _HttpCheck("aggregate analytics", aggregate_analytics, required=False),
        _HttpCheck("retrieved documents", chat.documents, required=False),
        _HttpCheck("batch day", batch_day),
        _HttpCheck("backend log", log_scan),
    )


def _answer(check: _HttpCheck, visit: Visit, subject: Subject) -> Finding:
    try:
        with visit.under_way():
            if check.question is not _alive:
                visit.reach()
            return check.question(subject, visit)
    except (NobodyLoggedInError, UnreachableError) as error:
        return skipped(str(error))
    except AbsentError as error:
        return Finding("fail" if check.required else "skipped", str(error))
    except (NoAnswerError, UnusableAnswerError) as error:
        return Finding("fail", str(error))


def _alive(_: Subject, visit: Visit) -> Finding:
    return alive_and_ready(visit)


def _demo_logins(_: Subject, visit: Visit) -> Finding:
    logins = visit.logins()
    found = visit.ask(lambda http: faults(http, logins))
    detail = "; ".join(found) or f"{len(DEMO_USERS)} users; a wrong password and no token refused"
    return judged(not found, detail, users=sum(login.token is not None for login in logins))
