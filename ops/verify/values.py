"""Whether stored figures are possible: finite, and within the bounds of what they measure."""

from psycopg import sql
from sqlalchemy import Numeric

from app.models import Base
from ops.verify.report import Verdict, judged
from ops.verify.subject import Subject

ANALYTIC_TABLES = (
    "position_factor_exposures",
    "position_market_betas",
    "position_interest_rate_betas",
    "position_volatility",
    "position_greeks",
    "portfolio_snapshots",
    "factor_exposures",
    "correlation_calculations",
    "pairwise_correlations",
    "correlation_clusters",
    "correlation_cluster_positions",
    "stress_test_results",
    "symbol_factor_exposures",
    "symbol_daily_metrics",
)
BETA_CAP = 5


def finite_values(subject: Subject) -> Verdict:
    """No numeric column of an analytic table holds NaN or infinity."""
    found: dict[str, int] = {}
    columns = 0
    with subject.core() as connection:
        for table in ANALYTIC_TABLES:
            names = _numeric_columns(table)
            columns += len(names)
            row = connection.execute(_non_finite_counts(table, names)).fetchone() or ()
            counts = zip(names, row, strict=True)
            found |= {f"{table}.{name}": count for name, count in counts if count}
    named = [f"{name} {count:,}" for name, count in found.items()]
    detail = f"{columns} columns of {len(ANALYTIC_TABLES)} tables; not finite: "
    return judged(not found, detail + (", ".join(named) or "none"), columns=columns, **found)


def _numeric_columns(table: str) -> list[str]:
    columns = Base.metadata.tables[table].columns
    return [column.name for column in columns if isinstance(column.type, Numeric)]


def _non_finite_counts(table: str, columns: list[str]) -> sql.Composed:
    counts = sql.SQL(", ").join(
        sql.SQL("count(*) FILTER (WHERE {} IN ('NaN', 'Infinity', '-Infinity'))").format(
            sql.Identifier(column)
        )
        for column in columns
    )
    return sql.SQL("SELECT {} FROM {}").format(counts, sql.Identifier("public", table))


def betas(subject: Subject) -> Verdict:
    """No stored beta beyond ±5, the cap that every regression applies."""
    total, *over = subject.row("betas", cap=BETA_CAP)
    tables = (
        "position_factor_exposures",
        "position_market_betas",
        "position_interest_rate_betas",
        "symbol_factor_exposures",
    )
    beyond = dict(zip(tables, over, strict=True))
    named = [f"{count:,} in {table}" for table, count in beyond.items() if count]
    detail = f"{total:,} betas; beyond ±{BETA_CAP}: " + (", ".join(named) or "none")
    return judged(not named, detail, betas=total, **beyond)


def correlations(subject: Subject) -> Verdict:
    """Within [-1, 1]; 1 with itself; the same in both directions, and both directions there."""
    pairs, outside, itself, one_sided, overall = subject.row("correlation_values")
    faults = {
        "outside [-1, 1]": outside,
        "not 1 with itself": itself,
        "unlike their mirror image": one_sided,
        "calculations with an impossible mean": overall,
    }
    named = [f"{count:,} {fault}" for fault, count in faults.items() if count]
    detail = "; ".join([f"{pairs:,} pairs", *(named or ["all possible and symmetric"])])
    return judged(not named, detail, pairs=pairs, **faults)


def volatility_and_concentration(subject: Subject) -> Verdict:
    """Volatilities are not negative; the Herfindahl index is in (0, 10000] where there is one."""
    positions, negative, snapshots, negative_too, concentration = subject.row("volatility")
    faults = {
        "positions with a negative volatility": negative,
        "snapshots with a negative volatility": negative_too,
        "snapshots with an impossible concentration": concentration,
    }
    named = [f"{count:,} {fault}" for fault, count in faults.items() if count]
    detail = f"{positions:,} position-days, {snapshots:,} snapshots; "
    return judged(not named, detail + ("; ".join(named) or "all possible"), **faults)
