"""When verification stops a phase."""

from ops.errors import VerificationError
from ops.verify.report import VerifyReport


def refuse_failures(report: VerifyReport) -> None:
    """Let passed and skipped checks pass.

    Raises:
        VerificationError: at least one check failed; all failed ones are named.
    """
    if report.failures:
        names = ", ".join(check.name for check in report.failures)
        raise VerificationError(
            f"{len(report.failures)} of {len(report.results)} checks failed: {names} "
            f"({report.failures[0].detail})"
        )
