"""Whether what was moved and computed is what the rules demand, as named checks."""

from ops.verify.checks import DATABASE_CHECKS
from ops.verify.report import Check, CheckResult, Outcome, Verdict, VerifyReport
from ops.verify.run import verify
from ops.verify.subject import Subject

__all__ = [
    "DATABASE_CHECKS",
    "Check",
    "CheckResult",
    "Outcome",
    "Subject",
    "Verdict",
    "VerifyReport",
    "verify",
]
