"""Ranges, and the sessions that days between them count to."""

from datetime import date
from uuid import UUID

import pytest

from ops.backfill.planning import BackfillRequest, PortfolioSpan
from ops.errors import BadInputError

SPAN = PortfolioSpan(UUID(int=1), "p", 1, 0.0, date(2025, 7, 1), date(2025, 7, 18))


@pytest.mark.parametrize(
    ("first", "last", "mode", "message"),
    [
        (date(2025, 7, 2), date(2025, 7, 1), "missing", "reversed"),
        (date(2025, 7, 4), date(2025, 7, 6), "missing", "no NYSE trading day"),
        (date(1901, 1, 1), date(1901, 2, 1), "all", "calendar"),
        (date(2025, 7, 1), date(2999, 1, 1), "all", "calendar"),
        (date(2025, 7, 1), date(2025, 7, 2), "some", "missing, failed or all"),
    ],
)
def test_a_range_that_cannot_be_worked_on_is_refused(
    first: date, last: date, mode: str, message: str
) -> None:
    with pytest.raises(BadInputError, match=message) as refusal:
        BackfillRequest(first, last, mode)  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)


def test_the_days_of_a_span_are_sessions() -> None:
    assert len(SPAN.days) == 13
    assert date(2025, 7, 4) not in SPAN.days


@pytest.mark.parametrize(
    ("first", "before"),
    [
        (date(2025, 7, 1), date(2025, 6, 30)),
        (date(2025, 7, 7), date(2025, 7, 3)),
        (date(2025, 1, 2), date(2024, 12, 31)),
    ],
)
def test_the_session_before(first: date, before: date) -> None:
    assert PortfolioSpan(UUID(int=1), "p", 1, 0.0, first, first).session_before == before


@pytest.mark.parametrize(
    ("day", "session"),
    [
        (date(2025, 7, 3), date(2025, 7, 3)),
        (date(2025, 7, 4), date(2025, 7, 7)),
        (date(2025, 7, 12), date(2025, 7, 14)),
        (date(2025, 7, 19), date(2025, 7, 19)),  # beyond the span: a later run's business
        (date(2025, 6, 30), date(2025, 6, 30)),  # before it: an earlier run's
    ],
)
def test_what_happens_between_sessions_counts_to_the_next(day: date, session: date) -> None:
    assert SPAN.session(day) == session
