"""What the last complete copy of a table saw and left, by which an unchanged one is skipped."""

from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ops.copy.plan import TablePlan
from ops.copy.unwritten import Seen


@dataclass(frozen=True)
class Fingerprint:
    """A row of ops.copy_fingerprints.

    Attributes:
        source_hash: of every row that is read, acceptable or not, and of both sides' columns; empty
            where the next copy must look at the rows again.
        core_hash: content hash of the target's table after the copy.
        source_seen, core_seen: both sides as they were; None where nothing can be told of one.
        proved: both were compared as they were, and every accepted row was found equal.
        proved_seen: the source as it was when that was last so; since then rows came by deltas
            alone, so that only what is newer is unproved.
    """

    source_rows: int
    accepted_rows: int
    source_hash: str
    core_hash: str
    source_seen: Seen | None = None
    core_seen: Seen | None = None
    proved: bool = False
    proved_seen: Seen | None = None

    @property
    def rejected_rows(self) -> int:
        """How many rows of legacy the copy left out."""
        return self.source_rows - self.accepted_rows


def last_fingerprint(core: psycopg.Connection, table: str) -> Fingerprint | None:
    """What the last complete copy of the table recorded."""
    with core.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT source_rows, accepted_rows, source_hash, core_hash, source_seen, core_seen,"
            " proved, proved_seen FROM ops.copy_fingerprints WHERE table_name = %s",
            [table],
        ).fetchone()
    if row is None:
        return None
    return replace(
        Fingerprint(**row),
        source_seen=_seen(row["source_seen"]),
        core_seen=_seen(row["core_seen"]),
        proved_seen=_seen(row["proved_seen"]),
    )


def record_fingerprint(core: psycopg.Connection, plan: TablePlan, found: Fingerprint) -> None:
    """Remember a complete copy, in the transaction that made it."""
    core.execute(
        "INSERT INTO ops.copy_fingerprints"
        " (table_name, source_rows, accepted_rows, source_hash, core_hash, source_seen, core_seen,"
        " proved, proved_seen) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (table_name) DO UPDATE SET"
        " source_rows = excluded.source_rows, accepted_rows = excluded.accepted_rows,"
        " source_hash = excluded.source_hash, core_hash = excluded.core_hash,"
        " source_seen = excluded.source_seen, core_seen = excluded.core_seen,"
        " proved = excluded.proved, proved_seen = excluded.proved_seen, copied_at = now()",
        [
            plan.table,
            found.source_rows,
            found.accepted_rows,
            found.source_hash,
            found.core_hash,
            _document(found.source_seen),
            _document(found.core_seen),
            found.proved,
            _document(found.proved_seen),
        ],
    )


def look_again(
    core: psycopg.Connection, plan: TablePlan, source: Seen | None, target: Seen | None
) -> None:
    """Remember how both sides are seen now, their content being what it was."""
    core.execute(
        "UPDATE ops.copy_fingerprints SET source_seen = %s, core_seen = %s WHERE table_name = %s",
        [_document(source), _document(target), plan.table],
    )


def record_proof(core: psycopg.Connection, plan: TablePlan, found: Fingerprint) -> None:
    """Remember that parity held for what a copy had seen and left, if that is still the last."""
    core.execute(
        "UPDATE ops.copy_fingerprints SET proved = true, proved_seen = source_seen"
        " WHERE table_name = %s AND source_seen = %s AND core_seen = %s",
        [plan.table, _document(found.source_seen), _document(found.core_seen)],
    )


def _seen(document: dict[str, Any] | None) -> Seen | None:
    return None if document is None else Seen(**document)


def _document(seen: Seen | None) -> Jsonb | None:
    return None if seen is None else Jsonb(seen.document())
