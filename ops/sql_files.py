"""The statements that stand in files: each package keeps its own in `sql/`."""

from functools import lru_cache
from importlib.resources import files


@lru_cache
def statement(name: str) -> bytes:
    """The text of a statement, as psycopg takes it: `copy/checks` is `ops/copy/sql/checks.sql`,
    and a name without a package is below `ops/sql/`."""
    *packages, own = name.split("/")
    return files("ops").joinpath(*packages, "sql", f"{own}.sql").read_bytes()
