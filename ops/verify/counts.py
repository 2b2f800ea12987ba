"""Row counts, each derived from what the rules say of positions and prices, never from the batch.

The rules are written once more here, in SQL, on purpose: a count that were taken from the batch's
own code would agree with its mistakes.
"""

from typing import Any

from app.calculations.factors import RIDGE_FACTOR_ETFS, SPREAD_FACTOR_ETFS
from ops.sql_files import statement
from ops.verify.report import Finding, judged
from ops.verify.subject import Subject


def portfolio_snapshots(subject: Subject) -> Finding:
    """One snapshot per live portfolio and trading day."""
    expected, found, missing, unexpected = _row(subject, "snapshot_days")
    return _counted(expected, found, missing=missing, unexpected=unexpected)


def position_factor_exposures(subject: Subject) -> Finding:
    """On every day on which it is open, six rows for each stock or fund with 30 returns shared
    with the style ETFs, and four with 60 returns shared with the spread ETFs."""
    expected, found, differing = _row(subject, "position_exposures", **_factor_rules())
    return _counted(expected, found, differing_position_days=differing)


def symbol_factor_exposures(subject: Subject) -> Finding:
    """The same rule for each symbol held on the last day, for that day alone."""
    expected, found, differing = _row(subject, "symbol_exposures", **_factor_rules())
    return _counted(expected, found, differing_symbols=differing)


def symbol_daily_metrics(subject: Subject) -> Finding:
    """One row per symbol held on the last day, of that day."""
    expected, found, differing = _row(subject, "symbol_metrics")
    return _counted(expected, found, differing_symbols=differing)


def correlation_calculations(subject: Subject) -> Finding:
    """One row per portfolio and day on which any symbol passes the filter: |value| of at least
    10,000 and of at least 1 % of the gross exposure, and 30 returns that are not all zero."""
    rows = _row(subject, "correlations")
    return _counted(rows[0], rows[1], differing_portfolio_days=rows[2])


def pairwise_correlations(subject: Subject) -> Finding:
    """n² ordered pairs, self pairs included, for each of those rows with its n symbols."""
    rows = _row(subject, "correlations")
    return _counted(rows[3], rows[4], differing_portfolio_days=rows[5])


def _row(subject: Subject, name: str, **parameters: Any) -> tuple[int, ...]:
    values = {"days": subject.days, "sessions": subject.sessions, **parameters}
    with subject.core() as connection:
        row = connection.execute(statement(name), values).fetchone()
    return tuple(int(value) for value in row or ())


def _factor_rules() -> dict[str, Any]:
    return {
        "style_etfs": sorted(RIDGE_FACTOR_ETFS.values()),
        "spread_etfs": sorted({etf for pair in SPREAD_FACTOR_ETFS.values() for etf in pair}),
        "styles": len(RIDGE_FACTOR_ETFS),
        "spreads": len(SPREAD_FACTOR_ETFS),
    }


def _counted(expected: int, found: int, **faults: int) -> Finding:
    named = [f"{count:,} {name.replace('_', ' ')}" for name, count in faults.items() if count]
    detail = "; ".join([f"expected {expected:,}, found {found:,}", *named])
    ok = expected == found and not any(faults.values())
    return judged(ok, detail, expected=expected, found=found, **faults)
