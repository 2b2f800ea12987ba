"""Run every check, whatever becomes of the others."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial

import psycopg
from sqlalchemy.engine import URL

from ops.connection import first_line
from ops.errors import SigmaSightError
from ops.state_folder import StateFolder
from ops.verify.checks import DATABASE_CHECKS
from ops.verify.counts import plan_figures
from ops.verify.report import Check, CheckResult, Verdict, VerifyReport
from ops.verify.subject import Subject

# The ten-times check keeps one connection busy for as long as all others together.
_WORKERS = 2


def verify(
    core_url: URL,
    ai_url: URL,
    legacy_url: URL | None,
    first: date,
    last: date,
    *,
    more_checks: Sequence[Check] = (),
    on_result: Callable[[CheckResult], None] = lambda _result: None,
    state: StateFolder | None = None,
) -> VerifyReport:
    """Ask every check about the databases and the trading days `first`..`last`.

    Nothing is changed: what a check builds for itself is temporary and rolled back. A check that
    cannot be answered, because the database is broken or away, is a failed check with its reason.

    Args:
        legacy_url: where market data was copied from; None skips the comparison with it.
        first, last: the range of the last backfill; the symbols' own tables hold only its last day.
        more_checks: of the backend, answered after those of the databases.
        on_result: told each check's result as soon as it is there, from any thread.
        state: where an expensive finding is kept for the next verification.

    Raises:
        BadInputError: the range is reversed or holds no trading day.
    """
    subject = Subject(core_url, ai_url, legacy_url, first, last, state)
    _ = subject.days, subject.sessions
    checks = [*DATABASE_CHECKS, *more_checks]
    with ThreadPoolExecutor(_WORKERS) as pool:
        figures = pool.submit(_figures, subject)
        results = tuple(pool.map(partial(_told, on_result, subject), checks))
    of_backend = results[len(results) - len(more_checks) :]
    asked = any(result.outcome != "skipped" for result in of_backend)
    return VerifyReport(results, figures.result(), asked)


def _told(on_result: Callable[[CheckResult], None], subject: Subject, check: Check) -> CheckResult:
    result = answer(subject, check)
    on_result(result)
    return result


def answer(subject: Subject, check: Check) -> CheckResult:
    """Ask one check; an error becomes a failure with its reason in one line."""
    finding = _finding(subject, check)
    detail = " ".join(finding.detail.split())
    return CheckResult(check.name, finding.outcome, detail, finding.measured)


def _finding(subject: Subject, check: Check) -> Verdict:
    try:
        return check.run(subject)
    except SigmaSightError as error:
        return Verdict("fail", str(error))
    except psycopg.Error as error:
        return Verdict("fail", f"could not be checked: {first_line(error)}")
    except Exception as error:  # one check's defect must not hide what the others find
        said = str(error).splitlines()[0] if str(error) else "no message"
        return Verdict("fail", f"could not be checked: {type(error).__name__}: {said}")


def _figures(subject: Subject) -> tuple[dict[str, object], ...]:
    try:
        return plan_figures(subject)
    except (SigmaSightError, psycopg.Error):
        return ()
