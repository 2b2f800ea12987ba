"""Whether the prices that the figures stand on are there, and are what legacy holds."""

from app.calculations.factors import REQUIRED_ETFS
from ops.copy import TableParity, parity
from ops.legacy_access.account import recorded_access
from ops.sql_files import statement
from ops.verify.report import Verdict, judged, skipped
from ops.verify.subject import Subject

# A symbol may be halted or stop trading; more holes than this mean that a copy is incomplete.
MINIMUM_COVERAGE = 0.95
_GROUP = "market"


def market_data(subject: Subject) -> Verdict:
    """Each required ETF, and what is held taken together, has a price on 95 % of the days."""
    values = {"days": subject.days, "etfs": list(REQUIRED_ETFS), "minimum": MINIMUM_COVERAGE}
    with subject.core() as connection:
        row = connection.execute(statement("verify/market_data"), values).fetchone()
    wanted, priced, incomplete, unpriced = row or (0, 0, [], [])
    coverage = priced / wanted if wanted else 0.0
    lines = [f"{priced:,} of {wanted:,} symbol-days priced ({coverage:.2%})"]
    lines += [f"ETFs with too few prices: {', '.join(incomplete)}"] if incomplete else []
    lines += [f"symbols without any price: {', '.join(unpriced)}"] if unpriced else []
    return judged(
        not incomplete and coverage >= MINIMUM_COVERAGE,
        "; ".join(lines),
        wanted=wanted,
        priced=priced,
        incomplete_etfs=len(incomplete),
    )


def market_data_equals_legacy(subject: Subject) -> Verdict:
    """Every acceptable row of legacy's market data is found equal in Core."""
    if subject.legacy_url is None:
        return skipped("no legacy database is configured (LEGACY_DATABASE_URL)")
    with recorded_access(subject.core_url, subject.legacy_url, "verify"):
        tables = parity(subject.legacy_url, subject.core_url, _GROUP)
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
