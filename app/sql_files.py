"""Statements that are too long to stand in code: `app/sql/NAME.sql`, parameters as `:name`."""

from functools import cache
from importlib.resources import files

from sqlalchemy import TextClause, text


@cache
def statement(name: str) -> TextClause:
    """The statement in `app/sql/NAME.sql`. Write casts as cast(x AS type)."""
    return text(files("app").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8"))
