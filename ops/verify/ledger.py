"""Whether the batch finished every portfolio on every trading day, by its own record."""

from ops.sql_files import statement
from ops.verify.report import Verdict, judged
from ops.verify.subject import Subject


def backfill_ledger(subject: Subject) -> Verdict:
    """`done` for every live portfolio and trading day."""
    with subject.core() as connection:
        row = connection.execute(statement("verify/ledger"), {"days": subject.days}).fetchone()
    expected, done, failed, missing, first_fault = row or (0, 0, 0, 0, None)
    detail = f"expected {expected:,} portfolio-days, done {done:,}"
    if failed or missing:
        detail += f"; {failed:,} failed, {missing:,} missing, first {first_fault}; run the backfill"
    return judged(
        expected == done > 0, detail, expected=expected, done=done, failed=failed, missing=missing
    )


def tracking_rows(subject: Subject) -> Verdict:
    """One successful row of batch_run_tracking per trading day, and none for any other day."""
    with subject.core() as connection:
        row = connection.execute(statement("verify/tracking"), {"days": subject.days}).fetchone()
    expected, found, missing, unexpected, unsuccessful = row or (0, 0, 0, 0, 0)
    faults = {"missing": missing, "unexpected": unexpected, "unsuccessful": unsuccessful}
    named = [f"{count} {name}" for name, count in faults.items() if count]
    detail = "; ".join([f"expected {expected} days, found {found}", *named])
    return judged(not named, detail, expected=expected, found=found, **faults)
