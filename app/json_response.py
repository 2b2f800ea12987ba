"""JSON as the API speaks it: orjson, UTC times with a trailing Z, decimals as numbers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from starlette.responses import Response

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_SERIALIZE_NUMPY


def json_bytes(payload: Any) -> bytes:
    """`payload` as JSON. Numbers that are not finite become null; naive times are UTC."""
    return orjson.dumps(payload, default=_plain, option=_OPTIONS)


def utc_text(moment: datetime) -> str:
    """A time as the API writes it, e.g. 2025-12-19T21:00:00Z."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return utc_text(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


class JsonResponse(Response):
    """A response that goes straight to bytes, past FastAPI's encoder. A route's `response_model`
    documents it; tests check that what is sent conforms."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return json_bytes(content)
