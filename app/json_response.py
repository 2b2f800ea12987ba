"""JSON as the API speaks it: orjson, UTC times with a trailing Z, decimals as numbers."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar, cast
from uuid import UUID

import orjson
from starlette.responses import Response

JsonValue = str | int | float | bool | None
_Shape = TypeVar("_Shape")

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_SERIALIZE_NUMPY


def json_bytes(payload: Any) -> bytes:
    """`payload` as JSON. Numbers that are not finite become null; naive times are UTC."""
    return orjson.dumps(payload, default=json_value, option=_OPTIONS)


def utc_text(moment: datetime) -> str:
    """A time as the API writes it, e.g. 2025-12-19T21:00:00Z."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def day_text(day: date | None) -> str | None:
    """A date as YYYY-MM-DD."""
    return day.isoformat() if day is not None else None


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
    raise TypeError(f"{type(value).__name__} is no JSON")


def json_row(shape: type[_Shape], row: Any) -> _Shape:
    """What `row` has of the fields of `shape`, a TypedDict; documents stay as they are."""
    values = {name: getattr(row, name) for name in shape.__annotations__}
    found = {n: v if isinstance(v, dict | list) else json_value(v) for n, v in values.items()}
    return cast("_Shape", found)


class JsonResponse(Response):
    """A response that goes straight to bytes, past FastAPI's encoder. A route's `response_model`
    documents it; tests check that what is sent conforms."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return json_bytes(content)
