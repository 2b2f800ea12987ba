"""Row counts, each derived from what the rules say of positions and prices, never from the batch.

The rules are written once more here, in SQL, on purpose: a count that were taken from the batch's
own code would agree with its mistakes.
"""

from datetime import date
from typing import Any
from uuid import UUID

from app.calculations.factors import RIDGE_FACTOR_ETFS, SPREAD_FACTOR_ETFS
from ops.sql_files import statement
from ops.summary import plan_comparison
from ops.verify.common_dates import CommonDates
from ops.verify.report import Row, Verdict, judged
from ops.verify.subject import Subject


def portfolio_snapshots(subject: Subject) -> Verdict:
    """One snapshot per live portfolio and trading day."""
    expected, found, missing, unexpected = _row(subject, "snapshot_days")
    return _counted(expected, found, missing=missing, unexpected=unexpected)


def position_factor_exposures(subject: Subject) -> Verdict:
    """On every day on which it is open, six rows for each stock or fund with 30 returns shared
    with the style ETFs, and four with 60 returns shared with the spread ETFs."""
    expected, found, differing = _row(subject, "position_exposures", **_factor_rules())
    return _counted(expected, found, differing_position_days=differing)


def symbol_factor_exposures(subject: Subject) -> Verdict:
    """The same rule for each symbol held on the last day, for that day alone."""
    expected, found, differing = _row(subject, "symbol_exposures", **_factor_rules())
    return _counted(expected, found, differing_symbols=differing)


def symbol_daily_metrics(subject: Subject) -> Verdict:
    """One row per symbol held on the last day, of that day."""
    expected, found, differing = _row(subject, "symbol_metrics")
    return _counted(expected, found, differing_symbols=differing)


def correlation_calculations(subject: Subject) -> Verdict:
    """One row per portfolio and day on which any symbol passes the filter, |value| of at least
    10,000 and of at least 1 % of the gross exposure, and shares 30 returns: see `CommonDates`."""
    expected, found = subject.once(_correlations)
    apart = [
        key
        for key in expected.keys() | found.keys()
        if found.get(key, _NO_RUNS)[:2] != (key in expected, expected.get(key, 0))
    ]
    runs = sum(count for count, _, _ in found.values())
    return _counted(len(expected), runs, differing_portfolio_days=len(apart))


def pairwise_correlations(subject: Subject) -> Verdict:
    """n² ordered pairs, self pairs included, for each of those rows with its n symbols."""
    expected, found = subject.once(_correlations)
    pairs = {key: symbols**2 for key, symbols in expected.items()}
    apart = [
        key
        for key in expected.keys() | found.keys()
        if found.get(key, _NO_RUNS)[2] != pairs.get(key, 0)
    ]
    kept = sum(count for _, _, count in found.values())
    return _counted(sum(pairs.values()), kept, differing_portfolio_days=len(apart))


_COMPUTED_AGAIN = (
    "; where positions or prices have changed since, `sigmasight backfill --mode all` of these days"
    " computes them again"
)
_NO_RUNS = (0, 0, 0)
_PortfolioDay = tuple[UUID, date]


def _correlations(
    subject: Subject,
) -> tuple[dict[_PortfolioDay, int], dict[_PortfolioDay, tuple[int, int, int]]]:
    """How many symbols are to be correlated; and what there is: runs, their symbols and pairs."""
    values = {"days": subject.days, "sessions": subject.sessions}
    with subject.core() as connection:
        closes = connection.execute(statement("verify/correlated_closes"), values)
        common = CommonDates(subject.sessions, closes)
        large = connection.execute(statement("verify/correlations"), values).fetchall()
        runs = connection.execute(statement("verify/correlation_runs"), values).fetchall()
    expected = {
        (portfolio, day): len(common.correlated(symbols, day)) for portfolio, day, symbols in large
    }
    found = {(portfolio, day): tuple(counts) for portfolio, day, *counts in runs}
    return {key: symbols for key, symbols in expected.items() if symbols}, found


def backfill_ledger(subject: Subject) -> Verdict:
    """`done` for every live portfolio and trading day."""
    expected, done, failed, missing, first_fault = subject.row("ledger", days=subject.days)
    detail = f"expected {expected:,} portfolio-days, done {done:,}"
    if failed or missing:
        detail += f"; {failed:,} failed, {missing:,} missing, first {first_fault}; run the backfill"
    return judged(
        expected == done > 0, detail, expected=expected, done=done, failed=failed, missing=missing
    )


def tracking_rows(subject: Subject) -> Verdict:
    """One successful row of batch_run_tracking per trading day, and none for any other day."""
    expected, found, missing, unexpected, unsuccessful = subject.row("tracking", days=subject.days)
    faults = {"missing": missing, "unexpected": unexpected, "unsuccessful": unsuccessful}
    named = [f"{count} {name}" for name, count in faults.items() if count]
    detail = "; ".join([f"expected {expected} days, found {found}", *named])
    return judged(not named, detail, expected=expected, found=found, **faults)


def plan_figures(subject: Subject) -> tuple[Row, ...]:
    """Rows of table, plan and ours, where ours counts all rows of the table."""
    figures = plan_comparison(subject.core_url)
    return tuple({"table": f.table, "plan": f.plan, "ours": f.ours} for f in figures)


def _row(subject: Subject, name: str, **parameters: Any) -> tuple[int, ...]:
    found = subject.row(name, days=subject.days, sessions=subject.sessions, **parameters)
    return tuple(map(int, found))


def _factor_rules() -> dict[str, Any]:
    return {
        "style_etfs": sorted(RIDGE_FACTOR_ETFS.values()),
        "spread_etfs": sorted({etf for pair in SPREAD_FACTOR_ETFS.values() for etf in pair}),
        "styles": len(RIDGE_FACTOR_ETFS),
        "spreads": len(SPREAD_FACTOR_ETFS),
    }


def _counted(expected: int, found: int, **faults: int) -> Verdict:
    named = [f"{count:,} {name.replace('_', ' ')}" for name, count in faults.items() if count]
    detail = "; ".join([f"expected {expected:,}, found {found:,}", *named])
    ok = expected == found and not any(faults.values())
    detail += "" if ok else _COMPUTED_AGAIN
    return judged(ok, detail, expected=expected, found=found, **faults)
