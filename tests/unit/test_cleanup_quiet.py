"""What the counters of the old database must say before it is removed."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from ops.cleanup.conditions.quiet import no_reads
from ops.cleanup.facts import Facts
from ops.legacy_access.account import AccessEvidence

NOW = datetime(2026, 12, 28, 7, tzinfo=UTC)
WEEK, SECOND = timedelta(days=7), timedelta(seconds=1)


def counted(since: timedelta, **found: int) -> Facts:
    access = AccessEvidence(known=True, since=NOW - since, **found)  # type: ignore[arg-type]
    return cast(Facts, SimpleNamespace(access=access, scene=SimpleNamespace(now=NOW)))


@pytest.mark.parametrize(
    ("facts", "met", "waits", "says"),
    [
        (counted(WEEK), True, False, "none counted since 2026-12-21 07:00 UTC"),
        (counted(WEEK - SECOND), False, True, "wait seven days"),
        (counted(WEEK, reads=1), False, False, "1 reads by others"),
        (counted(WEEK, rows_read=1), False, False, "find out who"),
        (counted(WEEK, standbys=1), False, False, "1 servers follow it"),
    ],
)
def test_nobody_read_it_for_seven_days(facts: Facts, met: bool, waits: bool, says: str) -> None:
    finding = no_reads(facts)
    assert (finding.met, finding.waits) == (met, waits)
    assert says in finding.reason
