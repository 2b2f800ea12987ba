"""Markdown of what phases report."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """The lines of a table, each cell in one line; under a head that ends with a colon cells stand
    to the right."""
    marks = ["---:" if head.endswith(":") else "---" for head in heads]
    lines = [[head.removesuffix(":") for head in heads], marks, *rows]
    return ["| " + " | ".join(" ".join(str(c).split()) for c in cells) + " |" for cells in lines]
