"""Parity: every legacy row that a copy accepts is found equal in the new pair."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from ops.books.copies import Fingerprint, last_fingerprints, record_proof
from ops.content_hash import TableHash, rows_hash
from ops.copy.groups import TableSpec, in_order, specs_of, tables_of
from ops.copy.judgement import fits, typed_rules
from ops.copy.merge import differs, missing, missing_or_different, same_key
from ops.copy.plan import EVERY, TablePlan
from ops.copy.report import Meter, ignore_progress
from ops.copy.sessions import Sessions, copy_sessions
from ops.copy.side_by_side import side_by_side
from ops.copy.staging import RANKED, stage

EXAMPLES = 5


@dataclass(frozen=True)
class TableParity:
    """How a table of the new pair stands to legacy's.

    Attributes:
        legacy_rows: acceptable rows of legacy.
        missing: of these, how many the new pair lacks.
        different: how many it has with other content (surrogate ids, clock times and
            what a batch rolls forward are none).
        examples: natural keys of the first of both.
        compared_by: `hash` of both sides, `rows` one by one, only the `new rows` since an earlier
            proof, that `proof` where it still holds, or `absent` from legacy.
        proved: it holds until somebody writes to one of the sides.
    """

    table: str
    legacy_rows: int
    missing: int = 0
    different: int = 0
    examples: tuple[str, ...] = ()
    compared_by: Literal["hash", "rows", "new rows", "proof", "absent"] = "hash"
    proved: bool = False

    @property
    def holds(self) -> bool:
        return not (self.missing or self.different)


def parity(
    legacy_url: URL, core_url: URL, group: str = "market", *, ai_url: URL | None = None
) -> list[TableParity]:
    """Compare the acceptable legacy rows of a group with the new pair, table by table.

    Nothing is kept: where the hashes differ (the new pair may rightly have more rows), legacy's
    rows are staged in a transaction that is rolled back.

    Raises:
        BadInputError: there is no such group, or legacy cannot be read.
        WrongDatabaseError: the new pair lacks a table.
    """
    with copy_sessions(legacy_url, core_url, ai_url, (group,)) as sessions:
        return [_parity(sessions, spec) for spec in specs_of(group)]


def delta_parity(
    legacy_url: URL, core_url: URL, ai_url: URL | None, groups: Sequence[str]
) -> list[TableParity]:
    """Compare several groups as `parity` does, all from one snapshot of legacy. A table is not
    compared again while nobody has written to either side since it was found equal."""
    with copy_sessions(legacy_url, core_url, ai_url, in_order(groups)) as sessions:
        return proven_parity(sessions, tables_of(groups))


def prove_copied(sessions: Sessions, groups: Sequence[str]) -> None:
    """Compare what the last copies of several groups saw of legacy, while users may go on writing
    there: what is found equal now, `delta_parity` need not compare again."""
    lasts = last_fingerprints(sessions.core)
    for spec in tables_of(groups):
        _prove(sessions, spec, lasts.get(spec.table))


def _prove(sessions: Sessions, spec: TableSpec, last: Fingerprint | None) -> None:
    """A row that was written since the copy is not looked at: the next delta brings it, and it is
    compared as one that is newer than the proof."""
    plan = sessions.plan(spec)
    if plan is None or last is None or last.proved or last.source_seen is None:
        return
    source = sessions.look_at_source(plan, last)
    if source is None or source.new_rows is None or not _target_unwritten(sessions, plan, last):
        return
    copied = sql.SQL("{} AND NOT ({})").format(
        _since_proof(sessions, plan, last) or EVERY, last.source_seen.new_rows
    )
    found = _by_rows(sessions, plan, copied)
    if found.holds and _target_unwritten(sessions, plan, last):
        record_proof(sessions.core, plan.table, last)


def proven_parity(sessions: Sessions, specs: Sequence[TableSpec]) -> list[TableParity]:
    """Each table's parity, from the proof of an earlier comparison where that still holds; what is
    found is such a proof for the next."""
    found = unwritten_parity(sessions, specs)
    return [found.get(spec.table) or _parity(sessions, spec) for spec in specs]


def unwritten_parity(sessions: Sessions, specs: Sequence[TableSpec]) -> dict[str, TableParity]:
    """The parity of the tables to which nobody has written since they were copied, and what was
    found different of others. Legacy is a snapshot, and the targets are looked at last: who wrote
    there while rows were compared has left a trace."""
    found = {
        plan.spec: _proved(plan, last)
        or _compared_since_proof(sessions, plan, last)
        or _compared(sessions, plan)
        for plan, last in sessions.unwritten_sources(specs)
    }
    unwritten = sessions.unwritten([spec for spec, parity in found.items() if parity.holds])
    for table, last in unwritten.items():
        if not last.proved:
            record_proof(sessions.core, table, last)
    return {
        spec.table: replace(parity, proved=parity.holds)
        for spec, parity in found.items()
        if spec.table in unwritten or not parity.holds
    }


def _parity(sessions: Sessions, spec: TableSpec) -> TableParity:
    plan = sessions.plan(spec)
    if plan is None:
        return TableParity(spec.table, 0, compared_by="absent")
    return _compared(sessions, plan)


def _proved(plan: TablePlan, last: Fingerprint) -> TableParity | None:
    if not last.proved:
        return None
    return TableParity(plan.table, last.accepted_rows, compared_by="proof")


def _target_unwritten(sessions: Sessions, plan: TablePlan, last: Fingerprint) -> bool:
    target = sessions.look_at_target(plan, last)
    return target is not None and target.unchanged


def _compared_since_proof(
    sessions: Sessions, plan: TablePlan, last: Fingerprint
) -> TableParity | None:
    """Compare what deltas have brought since all was found equal: a delta leaves every other row of
    a target alone that nobody else has written. None where that cannot be told."""
    newer = _since_proof(sessions, plan, last)
    if newer is None:
        return None
    found = _by_rows(sessions, plan, newer)
    return replace(found, legacy_rows=last.accepted_rows, compared_by="new rows")


def _since_proof(sessions: Sessions, plan: TablePlan, last: Fingerprint) -> sql.Composable | None:
    """A condition over legacy's rows: the last proof does not speak of them. None where there is no
    proof, or it cannot be told."""
    if last.proved_seen is None:
        return None
    source = sessions.look_at_source(plan, replace(last, source_seen=last.proved_seen))
    return None if source is None else source.newer


def _compared(sessions: Sessions, plan: TablePlan) -> TableParity:
    return _by_hash(sessions, plan) or _by_rows(sessions, plan)


def _by_hash(sessions: Sessions, plan: TablePlan) -> TableParity | None:
    if not (plan.typed and plan.unique):
        return None
    wanted, found = both_hashes(sessions, plan)
    return TableParity(plan.table, wanted.rows) if found == wanted else None


def both_hashes(sessions: Sessions, plan: TablePlan) -> tuple[TableHash, TableHash]:
    """The hash of legacy's acceptable rows and of the target's, of a table whose types agree."""
    rules = fits(typed_rules(plan))
    session = sessions.target(plan.spec).session
    return side_by_side(
        lambda: sessions.legacy.hash(plan.table, plan.source_rows, plan.compared(), rules),
        lambda: rows_hash(session, plan.target_rows, plan.compared()),
    )


def _by_rows(sessions: Sessions, plan: TablePlan, only: sql.Composable = EVERY) -> TableParity:
    target = sessions.target(plan.spec)
    with target.transaction(undone=True):
        meter = Meter(plan.table, 0, ignore_progress)
        accepted = stage(sessions.legacy, target, plan, meter, only)
        row = target.session.execute(
            sql.SQL(
                "SELECT count(*) FILTER (WHERE {missing}),"
                " count(*) FILTER (WHERE NOT {missing} AND {differs}) FROM {pairs}"
            ).format(missing=missing(plan, "t"), differs=differs(plan, "t", "s"), pairs=pairs(plan))
        ).fetchone()
        lacking, different = row or (0, 0)
        examples = _examples(target.session, plan) if lacking or different else ()
    return TableParity(plan.table, accepted, lacking, different, examples, "rows")


def _examples(core: psycopg.Connection, plan: TablePlan) -> tuple[str, ...]:
    keys = [sql.Identifier("s", name) for name in plan.spec.natural_key]
    rows = core.execute(
        sql.SQL(
            "SELECT concat_ws(', ', {keys}) FROM {pairs} WHERE {unequal} ORDER BY {keys}"
            " LIMIT {limit}"
        ).format(
            keys=sql.SQL(", ").join(keys),
            pairs=pairs(plan),
            unequal=missing_or_different(plan, "t", "s"),
            limit=sql.Literal(EXAMPLES),
        )
    )
    return tuple(row[0] for row in rows)


def pairs(plan: TablePlan) -> sql.Composed:
    """A FROM item: each acceptable legacy row s beside Core's row t, if there is one."""
    return sql.SQL("(SELECT * FROM {} WHERE copy_rank = 1) AS s LEFT JOIN {} AS t ON {}").format(
        RANKED, plan.target.identifier, same_key(plan, "t", "s")
    )
