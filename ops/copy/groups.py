"""Which tables a copy moves together, and what makes a row of each the same row."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ops.errors import BadInputError


@dataclass(frozen=True)
class TableSpec:
    """What a copy must know of a table that the catalogue cannot tell.

    Attributes:
        natural_key: by which rows of both sides are matched, compared exactly as spelt; Core has a
            unique constraint on it.
        surrogate_key: an id that nothing else refers to: kept where it is free, else made anew.
        newest_by: of rows with one natural key, the one with the greatest value stays.
    """

    table: str
    natural_key: tuple[str, ...]
    surrogate_key: str | None = "id"
    newest_by: str = "updated_at"


_STATEMENT_KEY = ("symbol", "period_date", "frequency")

# A further group is a further entry here, once its tables refer to no surrogate id of another.
GROUPS: Mapping[str, tuple[TableSpec, ...]] = MappingProxyType(
    {
        "market": (
            TableSpec("market_data_cache", ("symbol", "date")),
            TableSpec("company_profiles", ("symbol",), surrogate_key=None),
            TableSpec("fund_holdings", ("fund_symbol", "holding_symbol", "last_updated")),
            TableSpec("income_statements", _STATEMENT_KEY),
            TableSpec("balance_sheets", _STATEMENT_KEY),
            TableSpec("cash_flows", _STATEMENT_KEY),
        )
    }
)


def specs_of(group: str) -> tuple[TableSpec, ...]:
    """The tables of a group, in the order in which they are copied.

    Raises:
        BadInputError: there is no such group.
    """
    if group not in GROUPS:
        raise BadInputError(f"there is no copy group {group!r}; choose from {', '.join(GROUPS)}")
    return GROUPS[group]
