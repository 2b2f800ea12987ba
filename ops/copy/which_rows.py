"""Which rows of a table the copy speaks of: not those that our own programs wrote."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from psycopg import sql

from ops.user_tables import NO_LEFTOVERS, Leftovers, counts


@dataclass(frozen=True)
class Written:
    """What our own programs have written.

    Attributes:
        leftovers: by verification's chat, on either side.
        computed: by the backfill: portfolios, by the first day that it computed of them.
    """

    leftovers: Leftovers = NO_LEFTOVERS
    computed: Mapping[date, Collection[UUID]] = field(default_factory=dict)


NOTHING_WRITTEN = Written()


def rows_that_count(
    table: str, written: Written, present: Collection[str]
) -> sql.Composable | None:
    """A condition over a table's own columns, of whatever types, on either side. None if all do.

    Of snapshots those count that the backfill has not computed again.

    Args:
        present: the columns that both sides have.
    """
    if table == "portfolio_snapshots":
        return _not_computed(written.computed, present)
    return counts(table, written.leftovers, present)


def _not_computed(
    computed: Mapping[date, Collection[UUID]], present: Collection[str]
) -> sql.Composable | None:
    if not computed or not {"portfolio_id", "snapshot_date"}.issubset(present):
        return None
    # Compared as texts, because an old database may hold days as such, and days no calendar has.
    earlier = sql.SQL(
        "(coalesce(snapshot_date::text, '') COLLATE \"C\" < {}"
        " OR coalesce(lower(portfolio_id::text), '') <> ALL({}))"
    )
    conditions = [
        earlier.format(sql.Literal(day.isoformat()), sql.Literal(sorted(map(str, portfolios))))
        for day, portfolios in sorted(computed.items())
    ]
    return sql.SQL("({})").format(sql.SQL(" AND ").join(conditions))
