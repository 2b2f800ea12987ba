"""Cutting a tool's result to what a model can read, so that what is left still makes sense."""

from collections.abc import Iterator
from typing import Any

import orjson

from app.json_response import json_bytes

_SHORTEST = 3
_SMALLEST_MAP = 12
_DIGITS = 6

Cuts = dict[str, dict[str, int]]


def bounded(data: Any, characters: int) -> tuple[Any, Cuts]:
    """`data` within a length of JSON, and what was cut where.

    The longest lists and tables are shortened until it fits. Series by date keep their newest part,
    positions the largest by market value, everything else its beginning. Numbers keep six digits.
    """
    encoded = json_bytes(data)
    if len(encoded) <= characters:
        return data, {}
    cut = _rounded(orjson.loads(encoded))
    lengths: dict[str, int] = {}
    while len(json_bytes(cut)) > characters:
        found = _longest(cut)
        if found is None:
            return {"excerpt": encoded[:characters].decode(errors="ignore")}, {}
        _shorten(*found, lengths)
    return cut, _cuts(cut, lengths)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return value


def _longest(data: Any) -> tuple[str, dict[str, Any], str] | None:
    """The longest collection that can be cut: its path, its parent and its key there."""
    found = max(
        _collections(data, ""), key=lambda each: len(each[1][each[2]]), default=("", {"": ()}, "")
    )
    return found if len(found[1][found[2]]) > _SHORTEST else None


def _collections(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _collections(each, f"{path}.{index}")
    elif isinstance(value, dict):
        for key, each in value.items():
            inner = f"{path}.{key}".lstrip(".")
            if isinstance(each, list) or _is_map(each):
                yield inner, value, key
            yield from _collections(each, inner)


def _is_map(value: Any) -> bool:
    """Whether a table by symbol or name, rather than a record of named fields."""
    if not isinstance(value, dict) or len(value) < _SMALLEST_MAP:
        return False
    return len({type(each) for each in value.values()}) == 1


def _shorten(path: str, parent: dict[str, Any], key: str, lengths: dict[str, int]) -> None:
    whole = parent[key]
    lengths.setdefault(path, len(whole))
    keep = max(_SHORTEST, len(whole) * 3 // 4)
    if isinstance(whole, dict):
        parent[key] = dict(list(whole.items())[:keep])
        return
    # Columns of one table stay equally long.
    together = [
        name for name, each in parent.items() if isinstance(each, list) and len(each) == len(whole)
    ]
    newest_last = any("date" in name for name in together)
    for name in together:
        parent[name] = _part(parent[name], keep, newest_last)


def _part(whole: list[Any], keep: int, newest_last: bool) -> list[Any]:
    first = whole[0]
    if isinstance(first, dict) and "market_value" in first:
        return sorted(whole, key=lambda each: -abs(each.get("market_value") or 0))[:keep]
    if newest_last or (isinstance(first, dict) and "date" in first):
        return whole[-keep:]
    return whole[:keep]


def _cuts(data: Any, lengths: dict[str, int]) -> Cuts:
    shown = {path: len(parent[key]) for path, parent, key in _collections(data, "")}
    return {path: {"shown": shown.get(path, 0), "of": of} for path, of in lengths.items()}
