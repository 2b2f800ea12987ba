"""Database values as JSON says them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, cast
from uuid import UUID

from app.json_response import utc_text

JsonValue = str | int | float | bool | None
_Shape = TypeVar("_Shape")


def json_value(value: object) -> JsonValue:
    """Decimals as numbers, times as UTC text, dates as YYYY-MM-DD, ids as text.

    Raises:
        TypeError: the value is none of what a column holds.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no value of a column")


def json_row(shape: type[_Shape], row: Any) -> _Shape:
    """What `row` has of the fields of `shape`, a TypedDict; documents stay as they are."""
    values = {name: getattr(row, name) for name in shape.__annotations__}
    found = {n: v if isinstance(v, dict | list) else json_value(v) for n, v in values.items()}
    return cast("_Shape", found)


def day_text(day: date | None) -> str | None:
    """A date as YYYY-MM-DD."""
    return day.isoformat() if day is not None else None
