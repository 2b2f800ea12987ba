"""Whether stored figures are possible: finite, and within the bounds of what they measure."""

from psycopg import sql
from sqlalchemy import Numeric

from app.models import Base
from ops.sql_files import statement
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
    with subject.core() as connection:
        row = connection.execute(statement("verify/betas"), {"cap": BETA_CAP}).fetchone() or ()
    tables = (
        "position_factor_exposures",
        "position_market_betas",
        "position_interest_rate_betas",
        "symbol_factor_exposures",
    )
    beyond = dict(zip(tables, row[1:], strict=True))
    named = [f"{count:,} in {table}" for table, count in beyond.items() if count]
    detail = f"{row[0]:,} betas; beyond ±{BETA_CAP}: " + (", ".join(named) or "none")
    return judged(not named, detail, betas=row[0], **beyond)


def correlations(subject: Subject) -> Verdict:
    """Within [-1, 1]; 1 with itself; the same in both directions, and both directions there."""
    with subject.core() as connection:
        row = connection.execute(statement("verify/correlation_values")).fetchone()
    pairs, outside, itself, one_sided, overall = row or (0, 0, 0, 0, 0)
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
    with subject.core() as connection:
        row = connection.execute(statement("verify/volatility")).fetchone()
    positions, negative, snapshots, negative_too, concentration = row or (0, 0, 0, 0, 0)
    faults = {
        "positions with a negative volatility": negative,
        "snapshots with a negative volatility": negative_too,
        "snapshots with an impossible concentration": concentration,
    }
    named = [f"{count:,} {fault}" for fault, count in faults.items() if count]
    detail = f"{positions:,} position-days, {snapshots:,} snapshots; "
    return judged(not named, detail + ("; ".join(named) or "all possible"), **faults)
