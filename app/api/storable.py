"""Texts and objects of requests that PostgreSQL can store: JSON can say more than it can."""

from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, StringConstraints

from app.storable import is_storable

_LARGEST_OBJECT = 4_000


def storable_text(text: str) -> str:
    """`text`, if PostgreSQL can store it.

    Raises:
        ValueError: it cannot.
    """
    if not is_storable(text):
        raise ValueError("must not contain NUL or half a surrogate pair")
    return text


def _storable_object(given: dict[str, Any]) -> dict[str, Any]:
    try:
        written = orjson.dumps(given)
    except TypeError:  # also of numbers beyond 64 bits and of half a surrogate pair
        raise ValueError("must be plain JSON") from None
    if len(written) > _LARGEST_OBJECT or b"\\u0000" in written:
        raise ValueError(f"must be at most {_LARGEST_OBJECT:,} bytes, without the character NUL")
    stored: dict[str, Any] = orjson.loads(written)
    return stored


Text = Annotated[str, AfterValidator(storable_text)]
# Stripped first: an annotation holds for what the ones before it have made.
FilledText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(storable_text)
]
JsonObject = Annotated[dict[str, Any], AfterValidator(_storable_object)]
