"""The statements that stand in `ops/sql/`."""

from functools import lru_cache
from importlib.resources import files


@lru_cache
def statement(name: str) -> bytes:
    """The text of `ops/sql/NAME.sql`, as psycopg takes it."""
    return files("ops").joinpath("sql", f"{name}.sql").read_bytes()
