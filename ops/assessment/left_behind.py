"""Rows of tables that each batch computes, of days that no batch computes again."""

from collections.abc import Collection
from types import MappingProxyType

import psycopg
from psycopg import sql

from ops.books.ledger import ComputedDays
from ops.connection import first_value
from ops.copy.plan import EVERY
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.sql_files import statement

# Of these the batch keeps what is so today.
STATES = frozenset({"symbol_universe", "symbol_daily_metrics"})
_DAYS = ("snapshot_date", "calculation_date", "calc_date")
# Tables that do not say whose they are: who knows, and by which column.
_HANGS_ON = MappingProxyType(
    {
        "position_volatility": ("positions", "position_id"),
        "position_factor_exposures": ("positions", "position_id"),
        "pairwise_correlations": ("correlation_calculations", "correlation_calculation_id"),
    }
)


def days_to_compute(legacy: psycopg.Connection) -> ComputedDays | None:
    """What a batch of the usual range would compute of the installation that is on the path; None
    where its portfolios cannot be read."""
    days = {"first": FIRST_DAY.isoformat(), "last": LAST_DAY.isoformat()}
    try:
        with legacy.transaction():
            found = legacy.execute(statement("assessment/live_spans"), days).fetchall()
    except psycopg.Error:  # the account of the table says why
        return None
    return ComputedDays(found)


def count_left_behind(
    legacy: psycopg.Connection,
    place: tuple[str, str],
    columns: Collection[str],
    computed: ComputedDays,
    which: sql.Composable = EVERY,
) -> int:
    """How many rows of a table are of no day that is computed of their portfolio.

    Args:
        place: the table's schema and name.
        which: a condition over its own columns that takes some of the rows.
    """
    rows, portfolio, day = _owned(place, columns)
    query = sql.SQL(statement("assessment/left_behind").decode()).format(
        rows=rows, portfolio=portfolio, day=day, which=which
    )
    names = ("portfolios", "firsts", "lasts")
    spans = {name: [span[at] for span in computed.spans] for at, name in enumerate(names)}
    return int(first_value(legacy, query, {**spans, "days": computed.days}))


def _owned(place: tuple[str, str], columns: Collection[str]) -> tuple[sql.Composable, ...]:
    """A FROM item; and of each of its rows the portfolio, '' of a symbol's, and the day. They are
    NULL of what no batch computes."""
    rows = sql.SQL("{} AS t").format(sql.Identifier(*place))
    own: dict[str, sql.Composable] = {name: sql.Identifier("t", name) for name in columns}
    day = next((own[name] for name in _DAYS if name in own), None)
    if hangs_on := _HANGS_ON.get(place[1]):
        parent, column = map(sql.Identifier, hangs_on)
        join = sql.SQL("{} LEFT JOIN {} AS o ON o.id::text = t.{}::text")
        rows = join.format(rows, parent, column)
        return rows, sql.Identifier("o", "portfolio_id"), day or sql.Identifier("o", _DAYS[1])
    symbols = sql.Literal("") if "symbol" in own else sql.NULL
    return rows, own.get("portfolio_id", symbols), day or sql.NULL
