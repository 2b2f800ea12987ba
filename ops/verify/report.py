"""What verify says: one result a check, and the plan's figures beside ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ops.books.verifications import LogRead
from ops.errors import VerificationError
from ops.verify.subject import Subject

Outcome = Literal["pass", "fail", "skipped"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a check found: an outcome, one line with numbers, and the numbers."""

    outcome: Outcome
    detail: str
    measured: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A named question about the databases. A finding is its answer; an error is a failure."""

    name: str
    run: Callable[[Subject], Verdict]


@dataclass(frozen=True)
class CheckResult:
    """The answer to one check.

    Attributes:
        detail: one line, with numbers; of a failure, what is wrong and where.
        measured: the numbers by name.
    """

    name: str
    outcome: Outcome
    detail: str
    measured: Mapping[str, Any]

    def as_row(self) -> Row:
        """The result as a row of a table."""
        return {"check": self.name, "outcome": self.outcome, "detail": self.detail}


@dataclass(frozen=True)
class VerifyReport:
    """The results of all checks, in their declared order.

    Attributes:
        plan_figures: rows of `table`, `plan` and `ours`: the original run's six counts beside
            ours, for information; other data has other counts.
        asked_backend: whether a backend answered any check.
    """

    results: tuple[CheckResult, ...]
    plan_figures: tuple[Row, ...]
    asked_backend: bool = False

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(result for result in self.results if result.outcome == "fail")

    @property
    def log_read(self) -> LogRead | None:
        """How far the backend's log was read; None where it was not."""
        read = (result.measured.get("log_read") for result in self.results)
        return next(filter(None, read), None)

    def rows(self) -> list[Row]:
        """The results as rows of a table."""
        return [result.as_row() for result in self.results]


def judged(ok: bool, detail: str, **measured: Any) -> Verdict:
    """A finding that passes if `ok`."""
    return Verdict("pass" if ok else "fail", detail, measured)


def skipped(reason: str) -> Verdict:
    """A finding that could not be asked for here, and why."""
    return Verdict("skipped", reason)


def refuse_failures(report: VerifyReport) -> None:
    """Let passed and skipped checks pass.

    Raises:
        VerificationError: at least one check failed; all failed ones are named.
    """
    if report.failures:
        names = ", ".join(check.name for check in report.failures)
        raise VerificationError(
            f"{len(report.failures)} of {len(report.results)} checks failed: {names} "
            f"({report.failures[0].detail})",
            document={"results": report.results, "plan_figures": report.plan_figures},
        )
