"""Whether the backend's log holds errors of the database."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from ops.verify.http.visit import Visit
from ops.verify.report import Verdict, judged, skipped
from ops.verify.subject import Subject

# What is looked at of a log of any length: its end.
_MOST_BYTES = 64 * 2**20
_SHOWN = 160

_START = re.compile(r"Started server process")
_DATABASE = re.compile(
    r"UndefinedTable|UndefinedColumn|InFailedSqlTransaction|InterfaceError|OperationalError"
    r"|(relation|column|database|role) \S+ does not exist"
    r"|current transaction is aborted|deadlock detected|permission denied for"
    r"|(server closed the connection|connection (was closed|is closed|refused|reset))"
    r"|too many (clients|connections)|QueuePool limit|remaining connection slots"
    r"|psycopg\.errors|asyncpg\.exceptions|sqlalchemy\.exc|database error",
    re.IGNORECASE,
)
# At the beginning of a line, after a time and perhaps a logger's name.
_ERROR = re.compile(
    r"[\s\d\[\]().:,TZ+/-]*(?:[\w.]+ +- +)?\W{0,2}(ERROR|CRITICAL|FATAL)(?=[\s:\]|-])"
)
_EXPECTED = re.compile(r"\b401\b|unauthori[sz]ed|expired token", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^\s/@]*@")


def log_scan(_: Subject, visit: Visit) -> Verdict:
    """Since its last start, no line tells of a database error, and none is of level ERROR but for
    refused tokens."""
    log = visit.target.log
    if log is None:
        return skipped("the backend's log cannot be read from here; name it with BACKEND_LOG")
    visit.wait_for_others()
    try:
        lines = _since_last_start(_tail(log))
    except OSError as error:
        return skipped(f"{log}: {error.strerror}; correct BACKEND_LOG")
    database, others = _errors(lines)
    shown = [*database, *others][:1]
    first = f"; first: {_without_password(shown[0])}" if shown else ""
    detail = (
        f"{len(lines):,} lines since the last start, {len(database)} of database errors, "
        f"{len(others)} other errors{first}"
    )
    counts = {"database_errors": len(database), "other_errors": len(others)}
    return judged(not shown, detail, lines=len(lines), **counts)


def _tail(log: Path) -> list[str]:
    with open(log, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _MOST_BYTES))
        return file.read(_MOST_BYTES).decode("utf-8", "replace").splitlines()


def _since_last_start(lines: list[str]) -> list[str]:
    starts = [number for number, line in enumerate(lines) if _START.search(line)]
    return lines[starts[-1] :] if starts else lines


def _errors(lines: Iterable[str]) -> tuple[list[str], list[str]]:
    """What tells of a database error, and what else is of level ERROR or worse."""
    database, others = list[str](), list[str]()
    for level, said in map(_read, lines):
        severe = level in ("ERROR", "CRITICAL", "FATAL")
        if (severe or level is None) and _DATABASE.search(said):
            database.append(said)
        elif severe and not _EXPECTED.search(said):
            others.append(said)
    return database, others


def _read(line: str) -> tuple[str | None, str]:
    """A line's level, None where it shows none, and what it says."""
    if line.startswith("{"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return None, line
        if isinstance(record, dict) and isinstance(record.get("level"), str):
            said = " ".join(str(record[n]) for n in ("message", "error", "exc_info") if n in record)
            return record["level"].upper(), said
    found = _ERROR.match(line)
    return (found[1] if found else None), line


def _without_password(said: str) -> str:
    return _PASSWORD.sub("://…@", " ".join(said.split()))[:_SHOWN]
