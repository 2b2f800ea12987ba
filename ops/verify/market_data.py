"""Whether the prices that the figures stand on are there, and are what legacy holds."""

from app.calculations.factors import REQUIRED_ETFS
from ops.copy import TableParity, parity
from ops.legacy_access.account import recorded_access
from ops.verify.report import Verdict, judged, skipped
from ops.verify.subject import Subject

_GROUP = "market"


def market_data(subject: Subject) -> Verdict:
    """Where anything is held, each required ETF has a price in the range. Holes are shown and no
    fault: a symbol may be halted or stop trading, and whether the copy has all that legacy has,
    its parity says."""
    wanted, priced, absent, incomplete, unpriced = subject.row(
        "market_data", days=subject.days, etfs=list(REQUIRED_ETFS)
    )
    share = f" ({priced / wanted:.2%})" if wanted else ""
    named = {
        "ETFs without any price": absent,
        "ETFs with holes": incomplete,
        "symbols without any price": unpriced,
    }
    lines = [f"{priced:,} of {wanted:,} symbol-days priced{share}"]
    lines += [f"{what}: {', '.join(symbols)}" for what, symbols in named.items() if symbols]
    return judged(
        not (wanted and absent),
        "; ".join(lines),
        wanted=wanted,
        priced=priced,
        absent_etfs=len(absent),
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
