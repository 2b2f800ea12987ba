"""Whether the backend's most frequent queries still go through an index when the data has grown."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import dict_row

from ops.connection import session_at
from ops.sql_files import statement
from ops.verify.hot_findings import fingerprint, keep_pass, kept_pass
from ops.verify.plans import (
    BIG_TABLE_PAGES,
    Plan,
    explain,
    explain_with_indexes_only,
    is_lookup,
    pages,
)
from ops.verify.report import Verdict, judged
from ops.verify.subject import Subject
from ops.verify.tenfold import GROWING_TABLES, all_indexes, multiply

Parameters = Mapping[str, Any]


class PlanVerdict(NamedTuple):
    """What is wrong with a query's plan, if anything, and the indexes that answer it."""

    fault: str | None
    indexes: frozenset[str]


def hot_queries(subject: Subject) -> Verdict:
    """At ten times the rows no hot query of Core reads a big table whole.

    Plans with the planner's default settings on temporary copies (see `tenfold`), in a transaction
    that is always rolled back. A copy gets the indexes that today's plans use, or all of them where
    a plan of today uses none. What passed is not asked again while nothing that plans hang on is
    another (see `hot_findings`).
    """
    with _scratch(subject) as connection:
        seen = fingerprint(connection, subject)
        if kept := kept_pass(subject, seen):
            return kept
        parameters = _parameters(connection, subject)
        today = {name: explain(connection, query, parameters) for name, query in _queries().items()}
        rows = {
            table: multiply(connection, table, _indexes_for(connection, table, today))
            for table in sorted(GROWING_TABLES)
        }
        verdicts = {
            name: _verdict(connection, query, parameters) for name, query in _queries().items()
        }
    return keep_pass(subject, seen, _finding(verdicts, rows))


def vector_search(subject: Subject) -> Verdict:
    """The search for the nearest documents goes through the HNSW index, at today's rows: building
    that index ten times over would take minutes."""
    query = statement("verify/hot_vector_search")
    with subject.ai() as connection:
        connection.execute(statement("drift/search_path"))
        connection.execute(statement("verify/planner_defaults"))
        verdict = _verdict(connection, query, None)
    used = sorted(verdict.indexes)
    return judged(
        verdict.fault is None, verdict.fault or f"answered by {', '.join(used)}", indexes=used
    )


@lru_cache
def _queries() -> dict[str, bytes]:
    """Name → statement, of the blocks of `hot_queries.sql`."""
    _, *parts = re.split(rb"^-- (.+) --$", statement("verify/hot_queries"), flags=re.MULTILINE)
    return {name.decode(): query for name, query in zip(parts[::2], parts[1::2], strict=True)}


@contextmanager
def _scratch(subject: Subject) -> Iterator[psycopg.Connection]:
    """A transaction on Core that is rolled back whatever happens, planning with defaults."""
    with (
        session_at(subject.core_url, "verify") as connection,
        connection.transaction(force_rollback=True),
    ):
        connection.execute(statement("verify/planner_defaults"))
        connection.execute("SET LOCAL search_path = pg_temp, public")
        connection.execute("SET LOCAL maintenance_work_mem = '128MB'")
        yield connection


def _parameters(connection: psycopg.Connection, subject: Subject) -> Parameters:
    with connection.cursor(row_factory=dict_row) as cursor:
        sampled = cursor.execute(statement("verify/hot_parameters")).fetchone() or {}
    return {**sampled, "first": subject.days[0], "last": subject.days[-1]}


def _indexes_for(
    connection: psycopg.Connection, table: str, today: Mapping[str, Plan]
) -> frozenset[str]:
    existing = all_indexes(connection, table)
    if any(table in plan.whole for plan in today.values()):
        return existing
    return existing & frozenset().union(*(plan.indexes for plan in today.values()))


def _verdict(
    connection: psycopg.Connection, query: bytes, parameters: Parameters | None
) -> PlanVerdict:
    plan = explain(connection, query, parameters)
    if not plan.whole:
        return PlanVerdict(None, plan.indexes)
    # Small tables, and those of which much is wanted, are read whole rightly; but an index must be
    # able to answer.
    forced = explain_with_indexes_only(connection, query, parameters)
    wrong = [
        table
        for table, wanted in plan.whole.items()
        if pages(connection, table) >= BIG_TABLE_PAGES
        and (table in forced.whole or is_lookup(connection, table, wanted))
    ]
    if wrong:
        return PlanVerdict(f"reads {', '.join(sorted(wrong))} whole", plan.indexes)
    return PlanVerdict("no index can answer it" if forced.whole else None, forced.indexes)


def _finding(verdicts: Mapping[str, PlanVerdict], rows: Mapping[str, int]) -> Verdict:
    faults = [f"{name}: {found.fault}" for name, found in verdicts.items() if found.fault]
    sizes = ", ".join(f"{table} {count:,}" for table, count in sorted(rows.items()))
    lines = [f"{len(verdicts)} queries, {len(faults)} not by index", *faults, f"rows: {sizes}"]
    used = {name: sorted(found.indexes) for name, found in verdicts.items()}
    return judged(not faults, "; ".join(lines), rows=dict(rows), indexes=used)
