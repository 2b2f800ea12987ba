"""Whether the market data in Core is what legacy holds."""

from ops.copy import TableParity, parity
from ops.legacy_access.account import recorded_access
from ops.verify.report import Verdict, judged, skipped
from ops.verify.subject import Subject

GROUP = "market"


def market_data_equals_legacy(subject: Subject) -> Verdict:
    """Every acceptable row of legacy's market data is found equal in Core."""
    if subject.legacy_url is None:
        return skipped("no legacy database is configured (LEGACY_DATABASE_URL)")
    with recorded_access(subject.core_url, subject.legacy_url, "verify"):
        tables = parity(subject.legacy_url, subject.core_url, GROUP)
    return judged(
        all(table.holds for table in tables),
        "; ".join(map(_in_words, tables)),
        **{table.table: table.legacy_rows for table in tables},
    )


def _in_words(found: TableParity) -> str:
    if found.compared_by == "absent":
        return f"{found.table} is absent from legacy"
    if found.holds:
        return f"{found.table} {found.legacy_rows:,} equal"
    return (
        f"{found.table} {found.missing:,} missing and {found.different:,} different of "
        f"{found.legacy_rows:,}, first {' / '.join(found.examples)}"
    )
