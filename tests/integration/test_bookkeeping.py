"""Schema `ops` of a Core that an earlier release has kept its books in."""

from sqlalchemy.engine import URL

from ops.books.marker import keep_books
from ops.connection import connect

ADDED = ("source_seen", "core_seen", "proved")


def test_books_of_an_earlier_release_are_brought_up_to_date(core_url: URL) -> None:
    with connect(core_url, application_name="tests") as core:
        core.execute(
            "INSERT INTO ops.copy_fingerprints"
            " (table_name, source_rows, accepted_rows, source_hash, core_hash)"
            " VALUES ('users', 1, 1, 'a', 'b')"
        )
        for column in ADDED:
            core.execute(f"ALTER TABLE ops.copy_fingerprints DROP COLUMN {column}")
        core.execute("DROP TABLE ops.cutovers CASCADE")
    for _ in range(2):
        keep_books(core_url, "core")
    with connect(core_url, application_name="tests") as core:
        kept = core.execute("SELECT table_name, proved FROM ops.copy_fingerprints").fetchall()
        cutovers = core.execute("SELECT count(*) FROM ops.cutovers").fetchone()
    assert (kept, cutovers) == ([("users", False)], (0,))
