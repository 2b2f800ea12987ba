"""Where commands write: results to standard output, everything else to standard error."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


@lru_cache
def out() -> "Console":
    """Standard output."""
    from rich.console import Console

    return Console()


@lru_cache
def err() -> "Console":
    """Standard error, which shows words as they are: they come from logs and databases."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True, markup=False, highlight=False)


def report(document: Mapping[str, Any], following: str | None = None) -> None:
    """A command's result for programs, with the command that comes `next`."""
    out().print_json(data={**document, "next": following}, default=str)


@dataclass
class Shown:
    """How much this command shows.

    Attributes:
        command: what was asked for.
        quiet: results and errors alone.
        verbose: the engine's own lines too.
        debug: the trace of a failure.
    """

    command: str = ""
    quiet: bool = False
    verbose: bool = False
    debug: bool = False


shown = Shown()
