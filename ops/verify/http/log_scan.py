"""Whether the backend's log holds errors of the database."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from ops.books.verifications import LogRead, log_read
from ops.verify.http.visit import Visit
from ops.verify.report import Verdict, judged, skipped
from ops.verify.subject import Subject

# What is looked at of a log of any length: its end.
_MOST_BYTES = 64 * 2**20
# By so much of what was read last a log is known again, whatever was rotated or written anew.
_KNOWN_BY = 4096
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
_ADVICE = "it is told once: see to it, and verify again"
_PASSWORD = re.compile(r"://[^\s/@]*@")


def log_scan(subject: Subject, visit: Visit) -> Verdict:
    """Since the verification before, or a later start, no line tells of a database error, and none
    is of level ERROR but for refused tokens."""
    log = visit.target.log
    if log is None:
        return skipped("the backend's log cannot be read from here; name it with BACKEND_LOG")
    visit.wait_for_others()
    try:
        text, read = _unread(log, log_read(subject.state))
    except OSError as error:
        return skipped(f"{log}: {error.strerror}; correct BACKEND_LOG")
    lines = _since_last_start(text.splitlines())
    database, others = _errors(lines)
    shown = [*database, *others][:1]
    first = f"; first: {_without_password(shown[0])}; {_ADVICE}" if shown else ""
    detail = (
        f"{len(lines):,} new lines since the last start, {len(database)} of database errors, "
        f"{len(others)} other errors{first}"
    )
    counts = {"database_errors": len(database), "other_errors": len(others)}
    return judged(not shown, detail, lines=len(lines), **counts, log_read=read)


def _unread(log: Path, known: LogRead | None) -> tuple[str, LogRead]:
    """What no verification has read of a log yet, and how far it is read now: whole lines."""
    with open(log, "rb") as file:
        size = file.seek(0, 2)
        begin = known["bytes"] if known and known["digest"] == _digest(file, known["bytes"]) else 0
        begin = max(begin, size - _MOST_BYTES)
        file.seek(begin)
        unread = file.read(_MOST_BYTES)
        end = begin + unread.rfind(b"\n") + 1
        return unread.decode("utf-8", "replace"), LogRead(bytes=end, digest=_digest(file, end))


def _digest(file: BinaryIO, end: int) -> str:
    begin = max(0, end - _KNOWN_BY)
    file.seek(begin)
    return hashlib.sha256(file.read(end - begin)).hexdigest()


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
