"""Whether the prices are there that the figures stand on."""

from app.calculations.factors import REQUIRED_ETFS
from ops.sql_files import statement
from ops.verify.report import Verdict, judged
from ops.verify.subject import Subject

# A symbol may be halted or stop trading; more holes than this mean that a copy is incomplete.
MINIMUM_COVERAGE = 0.95


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
