"""The plan's checklist with live evidence. Works without the Prefect server."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

import psycopg
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.endpoints import Endpoints, resolve_endpoints
from ops.errors import SigmaSightError
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.settings import OperatorSettings
from ops.trading_calendar import trading_days
from ops.verify.http.checks import answer_alone
from ops.verify.http.known_backend import known_backend
from ops.verify.record import last_verification

State = Literal["done", "open", "failed", "skipped"]
_Evidence = tuple[State, str, datetime | None]


@dataclass(frozen=True)
class ChecklistLine:
    """One phase of the plan.

    Attributes:
        evidence: what was seen just now.
        age: how long ago the phase last changed something, where the database knows.
    """

    number: str
    phase: str
    state: State
    evidence: str
    age: str | None = None


def checklist(settings: OperatorSettings, dashboard: str | None) -> list[ChecklistLine]:
    """Look at every phase now."""
    try:
        endpoints = resolve_endpoints(settings)
    except SigmaSightError as error:
        return [ChecklistLine("2", "databases", "open", str(error))]
    lines = [
        _line("2", "databases", endpoints.core, lambda c: _reached(c, endpoints)),
        _line("3", "Core migrations", endpoints.core, _core_tables),
        _line("4", "AI migrations", endpoints.ai, _ai_tables),
        ChecklistLine("5", "backup", "skipped", "the old database, untouched, is the backup"),
        _line("6", "seeding", endpoints.core, _seeded),
        _line("7", "market data copy", endpoints.core, _copied),
        _line("7.5", "backfill", endpoints.core, _backfilled),
        _served(settings),
        _verified(settings, endpoints.core),
    ]
    if dashboard:
        lines.append(ChecklistLine("-", "run history", "done", dashboard))
    return lines


def checklist_json(lines: Sequence[ChecklistLine]) -> str:
    """The checklist for programs."""
    return json.dumps([asdict(line) for line in lines])


def _line(
    number: str, phase: str, url: URL, look: Callable[[psycopg.Connection], _Evidence]
) -> ChecklistLine:
    try:
        with connect(url, application_name="status", read_only=True) as connection:
            state, evidence, moment = look(connection)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return ChecklistLine(number, phase, "open", "not begun")
    except SigmaSightError as error:
        return ChecklistLine(number, phase, "failed", str(error))
    return ChecklistLine(number, phase, state, evidence, _age(moment))


def _reached(core: psycopg.Connection, endpoints: Endpoints) -> _Evidence:
    versions = [core.info.parameter_status("server_version")]
    for url in (endpoints.ai, endpoints.legacy):
        if url is not None:
            with connect(url, application_name="status", read_only=True) as other:
                versions.append(other.info.parameter_status("server_version"))
    return "done", f"{len(versions)} answer, PostgreSQL {', '.join(map(str, versions))}", None


_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


def _core_tables(core: psycopg.Connection) -> _Evidence:
    return _table_count(core, 38)


def _ai_tables(ai: psycopg.Connection) -> _Evidence:
    vector = _value(ai, "SELECT max(extversion) FROM pg_extension WHERE extname = 'vector'")
    state, evidence, moment = _table_count(ai, 4)
    return state, f"{evidence}, pgvector {vector}", moment


def _table_count(connection: psycopg.Connection, expected: int) -> _Evidence:
    shared = _value(connection, "SELECT bool_or(role = 'shared') FROM ops.database_marker")
    wanted = 42 if shared else expected
    found = _value(connection, _TABLES)
    return "done" if found == wanted else "open", f"{found} of {wanted} tables", None


def _seeded(core: psycopg.Connection) -> _Evidence:
    row = core.execute(
        """
        SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM portfolios),
            (SELECT count(*) FROM positions), (SELECT max(recorded_at) FROM ops.starting_capital)
        """
    ).fetchone()
    assert row is not None  # an aggregate always has a row
    users, portfolios, positions, moment = row
    state: State = "done" if positions else "open"
    return state, f"{users} users, {portfolios} portfolios, {positions} positions", moment


def _copied(core: psycopg.Connection) -> _Evidence:
    row = core.execute(
        """
        SELECT count(*), coalesce(sum(accepted_rows), 0), max(copied_at),
            (SELECT count(*) FROM ops.copy_rejects)
        FROM ops.copy_fingerprints
        """
    ).fetchone()
    assert row is not None  # an aggregate always has a row
    tables, rows, moment, rejects = row
    state: State = "done" if tables else "open"
    return state, f"{rows:,} rows of {tables} tables, {rejects} rejected", moment


def _backfilled(core: psycopg.Connection) -> _Evidence:
    row = core.execute(
        """
        SELECT count(*) FILTER (WHERE status = 'done'),
            count(*) FILTER (WHERE status = 'failed'), max(recorded_at)
        FROM ops.backfill_ledger WHERE calculation_date BETWEEN %s AND %s
        """,
        [FIRST_DAY, LAST_DAY],
    ).fetchone()
    assert row is not None  # an aggregate always has a row
    done, failed, moment = row
    live = _value(core, "SELECT count(*) FROM portfolios WHERE deleted_at IS NULL AND is_active")
    wanted = int(str(live)) * len(trading_days(FIRST_DAY, LAST_DAY))
    state: State = "failed" if failed else "done" if wanted and done >= wanted else "open"
    return state, f"{done:,} of {wanted:,} portfolio days done, {failed} failed", moment


def _served(settings: OperatorSettings) -> ChecklistLine:
    """What the backend says of itself just now."""
    target = known_backend(settings)
    if target is None:
        return ChecklistLine("8", "backend", "open", "none runs here and BACKEND_URL is not set")
    found = answer_alone(target)
    state: State = "done" if found.outcome == "pass" else "failed"
    return ChecklistLine("8", "backend", state, found.detail)


def _verified(settings: OperatorSettings, core: URL) -> ChecklistLine:
    """How the last verification went: not repeated, since it takes seconds."""
    last = last_verification(settings.state, core)
    if last is None:
        return ChecklistLine("10", "verification", "open", "never done from here")
    evidence = f"{last.passed} checks passed, {last.failed} failed, {last.skipped} skipped"
    return ChecklistLine(
        "10", "verification", "done" if last.ok else "failed", evidence, _age(last.at)
    )


def _value(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def _age(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    seconds = int((datetime.now(UTC) - moment).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
