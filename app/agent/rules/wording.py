"""Figures and lists in words."""

from collections.abc import Iterable

_UNKNOWN = "unknown"


def dollars(value: float | None) -> str:
    """Whole dollars from ten thousand on, cents below."""
    if value is None:
        return _UNKNOWN
    digits = 0 if abs(value) >= 10_000 else 2
    return f"{'-' if value < 0 else ''}${abs(value):,.{digits}f}"


def share(value: float | None) -> str:
    """A fraction as percent."""
    return points(None if value is None else value * 100)


def points(value: float | None) -> str:
    """A number that is percent already."""
    return _UNKNOWN if value is None else f"{value:,.1f}%"


def figure(value: float | None, digits: int = 2) -> str:
    """A plain number."""
    return _UNKNOWN if value is None else f"{value:,.{digits}f}"


def bullets(lines: Iterable[str]) -> str:
    """A list of lines."""
    return "\n".join(f"- {line}" for line in lines)


def numbered(lines: Iterable[str]) -> str:
    """A list in order."""
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def section(title: str, *parts: str) -> str:
    """A titled piece of an answer."""
    return "\n\n".join((f"**{title}**", *(part for part in parts if part)))


def counted(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
