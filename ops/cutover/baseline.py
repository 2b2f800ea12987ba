"""The baseline of a rollback's price: what users owned as the swap left it."""

from psycopg import sql
from sqlalchemy.engine import URL

from ops.connection import connect, explained
from ops.copy.report import Guard, no_guard
from ops.cutover.changes import write_digests

_BASELINE = sql.Identifier("ops", "cutover_baseline")


def record_baseline(core_url: URL, ai_url: URL, *, guard: Guard = no_guard) -> int:
    """Replace the baseline by the user-owned rows of Core and AI as they are; how many there are.

    It is one transaction in Core, and requests wait for it: nothing but keys and digests moves.

    Args:
        guard: called with Core's connection as the last act of the transaction.
    """
    with (
        explained(core_url),
        explained(ai_url),
        connect(core_url, application_name="baseline") as core,
        connect(ai_url, application_name="baseline", read_only=True) as ai,
    ):
        core.execute("TRUNCATE ops.cutover_baseline, ops.cutover_baseline_moment")
        rows = write_digests(core, ai, _BASELINE)
        core.execute(
            "INSERT INTO ops.cutover_baseline_moment (recorded_at) VALUES (clock_timestamp())"
        )
        guard(core)
    return rows
