"""Reading somebody's JSON: what is missing or of another kind is named by its place."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ops.verify.http.failures import UnusableAnswerError


@dataclass(frozen=True)
class Json:
    """A value and where it stands, e.g. `GET /x: data.matrix`."""

    value: Any
    place: str

    def __getitem__(self, key: str) -> "Json":
        """A member; a path such as `data.matrix` goes deeper."""
        found: Any = self.value
        for part in key.split("."):
            if not isinstance(found, dict) or part not in found:
                raise UnusableAnswerError(f"{self.place} has no {key}")
            found = found[part]
        return Json(found, f"{self.place} {key}")

    def items(self) -> Iterator["Json"]:
        """The elements of a list."""
        if not isinstance(self.value, list):
            raise UnusableAnswerError(f"{self.place} is no list")
        for number, element in enumerate(self.value):
            yield Json(element, f"{self.place}[{number}]")

    def number(self) -> float:
        """A finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise UnusableAnswerError(f"{self.place} is no number")
        if not math.isfinite(self.value):
            raise UnusableAnswerError(f"{self.place} is not finite")
        return float(self.value)

    def text(self) -> str:
        """A text."""
        if not isinstance(self.value, str):
            raise UnusableAnswerError(f"{self.place} is no text")
        return self.value

    def is_filled(self) -> bool:
        """Whether there is anything: a number (zero counts), a text, a list or object not empty."""
        return self.value is not None and self.value not in ("", [], {})
