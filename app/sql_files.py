"""Statements that are too long to stand in code: each package keeps its own in `sql/`."""

from functools import cache
from importlib.resources import files

from sqlalchemy import TextClause, text


@cache
def statement(name: str) -> TextClause:
    """A statement with parameters as `:name`: `data/portfolios` is `app/data/sql/portfolios.sql`,
    and a name without a package is below `app/sql/`. Write casts as cast(x AS type)."""
    *packages, own = name.split("/")
    path = files("app").joinpath(*packages, "sql", f"{own}.sql")
    return text(path.read_text(encoding="utf-8"))
