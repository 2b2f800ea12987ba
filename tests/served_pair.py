"""Which pair serves, as a swap or a rollback leaves it in Core."""

from sqlalchemy.engine import URL

from ops.books.active_pair import Pair
from ops.connection import connect


def have_serve(core: URL, pair: Pair) -> None:
    """Have Core, which keeps books, say that a pair serves."""
    with connect(core, application_name="tests") as session:
        session.execute(
            "INSERT INTO ops.gate (pair) VALUES (%s)"
            " ON CONFLICT (only_row) DO UPDATE SET pair = excluded.pair",
            [pair],
        )
