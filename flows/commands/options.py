"""What several commands can be told. Nothing is imported here that `--help` does not need."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.errors import BadInputError
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.price_files import ACCEPTABLE

Group = Literal["market", "users", "chat", "ai", "all"]
PairName = Literal["old", "new"]
RoleName = Literal["owner", "app", "readonly"]


class DatabaseName(StrEnum):
    """A database of a move."""

    core = "core"
    ai = "ai"
    legacy = "legacy"


def _day(text: str | date) -> date:
    """What is typed, or a default."""
    if isinstance(text, date):
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write it as {FIRST_DAY}") from None


def output_file(option: str, path: Path | None) -> Path | None:
    """A file that is to be written, if one is given.

    Raises:
        BadInputError: it cannot be one.
    """
    if path is None:
        return None
    file = path.absolute()
    if file.is_dir():
        raise BadInputError(f"{option}: {file} is a folder; name a file")
    if not file.parent.is_dir():
        raise BadInputError(f"{option}: there is no folder {file.parent}; make it first")
    return file


_FIRST = typer.Option("--first", parser=_day, metavar="YYYY-MM-DD", help="First day.")
_LAST = typer.Option("--last", parser=_day, metavar="YYYY-MM-DD", help="Last day.")
First = Annotated[date, _FIRST]
Last = Annotated[date, _LAST]
MaybeFirst = Annotated[date | None, _FIRST]
MaybeLast = Annotated[date | None, _LAST]
Prices = Annotated[
    Path | None,
    typer.Option("--prices", help="CSV of daily prices for the demo, instead of generated ones."),
]
Accept = Annotated[
    list[str] | None,
    typer.Option("--accept", help=f"Let an error of the prices pass: {', '.join(ACCEPTABLE)}."),
]
Demo = Annotated[
    bool, typer.Option("--demo", help="Add the demo's users to those of another old database.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

__all__ = ["FIRST_DAY", "LAST_DAY"]
