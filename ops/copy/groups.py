"""Which tables a copy moves together, and what makes a row of each the same row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.models import AiBase, Base
from ops.errors import BadInputError
from ops.table_groups import TABLE_GROUPS
from ops.user_tables import Half, user_table


@dataclass(frozen=True)
class Reference:
    """A column that names rows of a table without a foreign key."""

    column: str
    table: str
    database: Half = "core"


@dataclass(frozen=True)
class TableSpec:
    """What a copy must know of a table that the catalogue cannot tell.

    Attributes:
        natural_key: by which rows of both sides are matched, compared exactly as spelt; the target
            has a unique constraint on it.
        surrogate_key: an id that nothing else refers to: kept where it is free, else made anew.
        newest_by: of rows with one natural key, the one with the greatest value stays.
        database: which half of the pair holds the table.
        keeps_ids: the natural key is the id. Rows that name nothing or whose other unique keys are
            taken are rejected.
        remembered: rows that legacy deletes are deleted.
        apart: columns that do not tell two rows apart; written with a new row and then left alone.
        carried: of these, the ones that are written whenever another column is.
        recomputed: a column that is NULL where its value does not fit.
        marked: columns that tell two rows apart only where `user_tables.never_marked` is true, and
            that are left alone elsewhere.
        references: what no foreign key of the target says.
        parked_by: the text column that lends a row a value of its own while its unique key passes
            to another row; None where such a row can be written anew, since nothing refers to it.
    """

    table: str
    natural_key: tuple[str, ...]
    surrogate_key: str | None = "id"
    newest_by: str = "updated_at"
    database: Half = "core"
    keeps_ids: bool = False
    remembered: bool = False
    apart: tuple[str, ...] = ("created_at", "updated_at")
    carried: tuple[str, ...] = ("updated_at",)
    recomputed: str | None = None
    marked: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    parked_by: str | None = None


def _kept(table: str, **rest: Any) -> TableSpec:
    return TableSpec(table, ("id",), surrogate_key=None, keeps_ids=True, remembered=True, **rest)


_STATEMENT_KEY = ("symbol", "period_date", "frequency")

_OTHERS: Mapping[str, TableSpec] = MappingProxyType(
    {
        spec.table: spec
        for spec in (
            TableSpec("market_data_cache", ("symbol", "date")),
            TableSpec("company_profiles", ("symbol",), surrogate_key=None),
            TableSpec("fund_holdings", ("fund_symbol", "holding_symbol", "last_updated")),
            TableSpec("income_statements", _STATEMENT_KEY),
            TableSpec("balance_sheets", _STATEMENT_KEY),
            TableSpec("cash_flows", _STATEMENT_KEY),
            _kept("position_greeks"),
            _kept("portfolio_snapshots"),
            TableSpec("stress_test_scenarios", ("scenario_id",), remembered=True),
        )
    }
)
_REFERENCES: Mapping[str, tuple[Reference, ...]] = MappingProxyType(
    {
        "agent_conversations": (Reference("user_id", "users"),),
        "ai_memories": (Reference("user_id", "users"),),
        "ai_feedback": (Reference("message_id", "agent_messages"),),
    }
)
PARKED_BY = MappingProxyType({"users": "email", "portfolios": "account_name", "tags_v2": "name"})
_VECTOR = "embedding"


def _spec(name: str) -> TableSpec:
    table = user_table(name)
    if table is None:
        return _OTHERS[name]
    return _kept(
        name,
        database=table.database,
        apart=tuple(sorted(table.apart)),
        carried=("updated_at", _VECTOR),
        recomputed=_VECTOR if _VECTOR in table.columns else None,
        marked=tuple(sorted(table.marked)),
        references=_REFERENCES.get(name, ()),
        parked_by=PARKED_BY.get(name),
    )


def references_of(table: str) -> Mapping[str, str]:
    """Column → the table that it names, of a user-owned table, with a foreign key or without."""
    model = AiBase.metadata.tables.get(table, Base.metadata.tables.get(table))
    declared = {
        column.name: key.column.table.name
        for column in (model.columns if model is not None else ())
        for key in column.foreign_keys
    }
    return declared | {one.column: one.table for one in _REFERENCES.get(table, ())}


GROUPS: Mapping[str, tuple[TableSpec, ...]] = MappingProxyType(
    {group: tuple(map(_spec, names)) for group, names in TABLE_GROUPS.items()}
)
ALL = "all"


def groups_named(name: str) -> tuple[str, ...]:
    """The groups that a name stands for: itself, or of `all` every one.

    Raises:
        BadInputError: there is no such group.
    """
    if name == ALL:
        return tuple(GROUPS)
    specs_of(name)
    return (name,)


def in_order(groups: Iterable[str]) -> tuple[str, ...]:
    """Groups in the order in which they are copied.

    Raises:
        BadInputError: there is no such group.
    """
    wanted = set(groups)
    for group in sorted(wanted):
        specs_of(group)
    return tuple(group for group in GROUPS if group in wanted)


def tables_of(groups: Iterable[str]) -> list[TableSpec]:
    """The tables of groups, in the order in which they are copied. Raises as `in_order`."""
    return [spec for group in in_order(groups) for spec in GROUPS[group]]


def specs_of(group: str) -> tuple[TableSpec, ...]:
    """The tables of a group, in the order in which they are copied.

    Raises:
        BadInputError: there is no such group.
    """
    if group not in GROUPS:
        choices = ", ".join([*GROUPS, ALL])
        raise BadInputError(f"there is no copy group {group!r}; choose from {choices}")
    return GROUPS[group]
