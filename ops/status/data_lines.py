"""Lines 7, 7.5 and 10: what was copied and computed, and whether that was verified since."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from psycopg.rows import DictRow

from ops.books.ledger import Ledger
from ops.books.verifications import Verification
from ops.errors import SigmaSightError
from ops.evidence import verification
from ops.evidence.backfill import backfill_again
from ops.status.core_facts import CoreFacts
from ops.status.line import ChecklistLine, State, age
from ops.table_groups import TABLE_GROUPS

_GROUPS = {table: group for group, tables in TABLE_GROUPS.items() for table in tables}


def copied(core: CoreFacts, *, has_legacy: bool) -> ChecklistLine:
    """Line 7: per group what was accepted and rejected, and when parity was last found."""
    if not core.copied:
        step = "sigmasight copy" if has_legacy else "set LEGACY_DATABASE_URL, then sigmasight copy"
        return ChecklistLine("7", "copy", "open", "nothing copied yet", next=step)
    groups: dict[str, list[DictRow]] = defaultdict(list)
    for one in core.copied:
        groups[_GROUPS.get(one["table_name"], "others")].append(one)
    evidence = "; ".join(_group(name, tables) for name, tables in groups.items())
    newest = max(one["copied_at"] for one in core.copied)
    return ChecklistLine("7", "copy", "done", evidence, at=newest)


def _group(name: str, tables: list[DictRow]) -> str:
    rows, rejects = (sum(one[what] for one in tables) for what in ("accepted_rows", "rejects"))
    found = f"{name} {rows:,} rows of {len(tables)} tables, {rejects:,} rejected"
    return f"{found}, parity {age(min(one['copied_at'] for one in tables))} ago"


def backfilled(core: CoreFacts) -> ChecklistLine:
    """Line 7.5: the days that are done, beside the days that there are prices for."""
    ledger = core.ledger
    if ledger is None:
        words = "nothing computed yet"
        return ChecklistLine("7.5", "backfill", "open", words, next="sigmasight backfill")
    days = _sessions(ledger.first, ledger.last)
    wanted = int(core.seeded["live"] if core.seeded else 0) * len(days)
    evidence = (
        f"{ledger.done:,} of {wanted:,} portfolio days done, {ledger.failed:,} failed, "
        f"{ledger.first}..{ledger.last}"
    )
    state: State = "failed" if ledger.failed else "done" if ledger.done >= wanted else "open"
    step = None if state == "done" else backfill_again(ledger)
    line = ChecklistLine("7.5", "backfill", state, evidence, ledger.moment, next=step)
    return _behind(line, ledger, core.prices_until)


def _behind(line: ChecklistLine, ledger: Ledger, prices_until: date | None) -> ChecklistLine:
    """What is not computed although it could be; and what could be if there were prices."""
    if line.state != "done" or prices_until is None:
        return line
    after = ledger.last + timedelta(days=1)
    finished = _last_finished_session()
    reach = min(prices_until, finished)
    if reach > ledger.last and (days := _sessions(after, reach)):
        reason = f"{len(days)} trading days behind the prices, which reach {prices_until}"
        return line.grown_stale(reason, f"sigmasight backfill --first {days[0]} --last {days[-1]}")
    if finished > ledger.last and (days := _sessions(after, finished)):
        reason = f"{len(days)} trading days behind, and there are no prices after {prices_until}"
        return line.grown_stale(reason, None)
    return line


def _last_finished_session() -> date:
    from ops.trading_calendar import last_finished_session

    return last_finished_session(datetime.now(UTC))


def _sessions(first: date, last: date) -> tuple[date, ...]:
    # Only here: the calendar takes a third of a second to import.
    from ops.trading_calendar import trading_days

    try:
        return trading_days(first, last)
    except SigmaSightError:  # none, or beyond the calendar
        return ()


def verified(
    last: Verification | None, changes: Mapping[str, datetime], *, backend_expected: bool
) -> ChecklistLine:
    """Line 10: how the last verification went; not repeated here, since it takes seconds.

    Args:
        changes: when each act last changed what it looked at.
    """
    step = "sigmasight verify"
    if last is None:
        return ChecklistLine("10", "verification", "open", "never done from here", next=step)
    found = verification.verified(
        last, changes, datetime.now(UTC), backend_expected=backend_expected
    )
    evidence = f"{last.passed} checks passed, {last.failed} failed, {last.skipped} skipped"
    if not found.met and not found.waits:
        return ChecklistLine("10", "verification", "failed", evidence, last.at, next=step)
    line = ChecklistLine("10", "verification", "done", evidence, last.at)
    return line if found.met else line.grown_stale(found.reason.rpartition(";")[0], step)
