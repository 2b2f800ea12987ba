"""What may be relied on, and in which words it is told why not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from ops.books.ledger import Ledger
from ops.books.verifications import Verification
from ops.evidence.backfill import backfill_complete
from ops.evidence.verification import verified

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FINE = Verification(NOW - HOUR, passed=3, failed=0, skipped=9, asked_backend=True)
AGAIN = "; run `sigmasight verify`"


@pytest.mark.parametrize(
    ("last", "changes", "says"),
    [
        (FINE, {}, None),
        (replace(FINE, at=NOW - 24 * HOUR), {"backfill": NOW - 25 * HOUR}, None),
        (None, {}, f"this Core was never verified from here{AGAIN}"),
        (
            replace(FINE, failed=2, passed=1),
            {},
            f"2 checks failed, 1 passed; mend that and{AGAIN[1:]}",
        ),
        (replace(FINE, passed=0), {}, f"0 checks failed, 0 passed; mend that and{AGAIN[1:]}"),
        (
            replace(FINE, at=NOW - 24 * HOUR - timedelta(seconds=1)),
            {},
            f"the verification of 2026-01-04 11:59 UTC is not of the last 24 hours{AGAIN}",
        ),
        (
            replace(FINE, at=NOW + HOUR),
            {},
            f"the verification of 2026-01-05 13:00 UTC is not of the last 24 hours{AGAIN}",
        ),
        (
            replace(FINE, asked_backend=False),
            {},
            "the verification asked no backend, though one is ours to ask; see that it runs"
            + AGAIN,
        ),
        (FINE, {"copy": NOW}, f"the verification is older than the last copy{AGAIN}"),
        (
            FINE,
            {"seeding": NOW - HOUR / 2, "backfill": NOW, "copy": NOW - 2 * HOUR},
            f"the verification is older than the last backfill{AGAIN}",
        ),
    ],
)
def test_a_verification_counts_for_a_day_until_anything_changes(
    last: Verification | None, changes: Mapping[str, datetime], says: str | None
) -> None:
    found = verified(last, changes, NOW, backend_expected=True)
    assert found.met == (says is None)
    assert says is None or found.reason == says


def test_a_backend_that_is_not_ours_need_not_be_asked() -> None:
    unasked = replace(FINE, asked_backend=False)
    assert verified(unasked, {}, NOW, backend_expected=False).met


WHOLE = Ledger(6, 0, 3, 0, date(2025, 7, 1), date(2025, 7, 2), NOW)
COMPUTE = "; run `sigmasight backfill --first 2025-07-01 --last 2025-07-02`"


@pytest.mark.parametrize(
    ("ledger", "says"),
    [
        (WHOLE, None),
        (None, "nothing was computed yet; run `sigmasight backfill`"),
        (replace(WHOLE, behind=1), f"3 portfolios done, 1 behind, 0 days failed{COMPUTE}"),
        (replace(WHOLE, failed=1), f"3 portfolios done, 0 behind, 1 days failed{COMPUTE}"),
        (
            replace(WHOLE, done=0, portfolios=0),
            f"0 portfolios done, 0 behind, 0 days failed{COMPUTE}",
        ),
    ],
)
def test_a_backfill_is_complete_when_no_day_failed_and_none_is_behind(
    ledger: Ledger | None, says: str | None
) -> None:
    found = backfill_complete(ledger)
    assert found.met == (says is None)
    assert says is None or found.reason == says
