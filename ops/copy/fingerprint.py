"""What the last complete copy of a table saw and left, by which an unchanged one is skipped."""

from dataclasses import dataclass

import psycopg

from ops.copy.plan import TablePlan


@dataclass(frozen=True)
class Fingerprint:
    """A row of ops.copy_fingerprints.

    Attributes:
        source_hash: of every row that is read, acceptable or not, and of both sides' columns.
        core_hash: content hash of Core's table after the copy.
    """

    source_rows: int
    accepted_rows: int
    source_hash: str
    core_hash: str


def last_fingerprint(core: psycopg.Connection, table: str) -> Fingerprint | None:
    """What the last complete copy of the table recorded."""
    row = core.execute(
        "SELECT source_rows, accepted_rows, source_hash, core_hash"
        " FROM ops.copy_fingerprints WHERE table_name = %s",
        [table],
    ).fetchone()
    return None if row is None else Fingerprint(*row)


def record_fingerprint(core: psycopg.Connection, plan: TablePlan, found: Fingerprint) -> None:
    """Remember a complete copy, in the transaction that made it."""
    core.execute(
        "INSERT INTO ops.copy_fingerprints"
        " (table_name, source_rows, accepted_rows, source_hash, core_hash)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (table_name) DO UPDATE SET"
        " source_rows = excluded.source_rows, accepted_rows = excluded.accepted_rows,"
        " source_hash = excluded.source_hash, core_hash = excluded.core_hash, copied_at = now()",
        [
            plan.table,
            found.source_rows,
            found.accepted_rows,
            found.source_hash,
            found.core_hash,
        ],
    )
