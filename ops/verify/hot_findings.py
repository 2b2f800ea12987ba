"""That the hot queries passed, kept until something that their plans hang on is another."""

import hashlib

import psycopg

from ops.connection import shown_address
from ops.sql_files import statement
from ops.verify.report import Verdict, judged
from ops.verify.subject import Subject
from ops.verify.tenfold import GROWING_TABLES, count_rows

_DOCUMENT = "hot_queries"


def fingerprint(connection: psycopg.Connection, subject: Subject) -> str:
    """A digest of the queries, the server's version, and of each table that grows: its columns,
    indexes and number of rows."""
    tables = sorted(GROWING_TABLES)
    facts = connection.execute(
        statement("verify/hot_fingerprint"), {"tables": [f"public.{table}" for table in tables]}
    ).fetchall()
    rows = [count_rows(connection, table) for table in tables]
    seen = (shown_address(subject.core_url), statement("verify/hot_queries"), facts, rows)
    return hashlib.sha256(repr(seen).encode()).hexdigest()


def kept_pass(subject: Subject, seen: str) -> Verdict | None:
    """The pass that was kept of what looked the same, if any."""
    known = subject.state.read(_DOCUMENT) if subject.state else {}
    if known.get("fingerprint") != seen:
        return None
    return judged(True, known["detail"], **known["measured"])


def keep_pass(subject: Subject, seen: str, found: Verdict) -> Verdict:
    """Keep a pass for the next verification; a failure is looked at again each time."""
    if subject.state and found.outcome == "pass":
        subject.state.write(
            _DOCUMENT,
            {"fingerprint": seen, "detail": found.detail, "measured": dict(found.measured)},
        )
    return found
