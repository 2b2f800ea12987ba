"""How far the data of Core is: the backfill's ledger, and when anything last changed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from ops.sql_files import statement


@dataclass(frozen=True)
class Ledger:
    """Portfolio days of the backfill.

    Attributes:
        done, failed: days.
        portfolios: those with a day that is done.
        behind: live portfolios whose last day is not the ledger's last.
        first, last: the days that it spans.
        moment: when it was last written.
    """

    done: int
    failed: int
    portfolios: int
    behind: int
    first: date
    last: date
    moment: datetime


@dataclass(frozen=True)
class ComputedDays:
    """Which days a batch computes, all as texts.

    Attributes:
        spans: portfolios with their first and their last day; '' stands for symbols.
        days: those within that are computed; None: all.
    """

    spans: Sequence[tuple[str, str, str]]
    days: Sequence[str] | None = None


def read_ledger(core: psycopg.Connection[Any]) -> Ledger | None:
    """The ledger as it is now; None where nothing was recorded."""
    with core.cursor(row_factory=class_row(Ledger)) as cursor:
        found = cursor.execute(statement("books/ledger")).fetchone()
    return found if found is not None and found.moment is not None else None


def ledger_grid(
    core: psycopg.Connection[Any], days: Sequence[date], most: int
) -> Sequence[tuple[str, str]]:
    """Names of at most so many live portfolios, with a letter for each of the days: ■ done, ✗
    failed, · no record. Those that are not whole come first."""
    return core.execute(
        statement("books/ledger_grid"), {"days": list(days), "most": most}
    ).fetchall()


def first_computed_days(core: psycopg.Connection[Any]) -> Mapping[date, Sequence[UUID]]:
    """The portfolios of which any day was computed or tried, by the first such day."""
    rows = core.execute(statement("books/first_computed_days")).fetchall()
    return dict(rows)


def computed_days(core: psycopg.Connection[Any]) -> ComputedDays:
    """What the backfill has computed."""
    spans = core.execute(statement("books/computed_spans")).fetchall()
    query = "SELECT DISTINCT calculation_date::text FROM ops.backfill_ledger WHERE status = 'done'"
    return ComputedDays(spans, [row[0] for row in core.execute(query)])


def forget_days(core: psycopg.Connection[Any], first: date) -> int:
    """Let the days from `first` on be computed again; how many portfolio days that are."""
    return core.execute(
        "DELETE FROM ops.backfill_ledger WHERE calculation_date >= %s", [first]
    ).rowcount


def last_changes(core: psycopg.Connection[Any]) -> Mapping[str, datetime]:
    """When each act (seeding, copy, backfill) last changed what a verification looks at."""
    with core.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(statement("books/changes")).fetchone()
    return {act: moment for act, moment in (row or {}).items() if moment is not None}
