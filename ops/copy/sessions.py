"""The open databases of a copy, and the tables that it looks at."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy.engine import URL

from app.database_url import same_database
from ops.books.copies import Fingerprint
from ops.books.copy_source import recorded_source
from ops.books.ledger import first_computed_days
from ops.connection import shown_address
from ops.copy.catalogue import Relation, read_relations
from ops.copy.core import Destination, core_session
from ops.copy.errors import OtherLegacyError
from ops.copy.groups import TableSpec, specs_of
from ops.copy.legacy import Legacy, legacy_snapshot
from ops.copy.plan import EVERY, TablePlan, plan_table
from ops.copy.table_state import StateChange, look
from ops.copy.which_rows import NOTHING_WRITTEN, Written
from ops.database_identity import identity_in, in_words, same_identity
from ops.errors import BadInputError
from ops.user_tables import Leftovers, leftovers_of


@dataclass(frozen=True)
class Sessions:
    """One snapshot of legacy beside the new pair.

    Attributes:
        ai: None where no table of the copy is there.
        notes: a second session of Core, for what must be known there before AI commits.
        written: what our own programs wrote on either side, which is not user data.
        source: legacy's identity.
        recorded: whether that is written down as what is copied from.
        targets: the new pair's tables of the copy, by name.
    """

    legacy: Legacy
    core: psycopg.Connection
    ai: psycopg.Connection | None
    notes: psycopg.Connection
    written: Written
    source: Mapping[str, Any]
    recorded: bool
    targets: Mapping[str, Relation]

    def target(self, spec: TableSpec) -> Destination:
        """Where the rows of a table go."""
        if spec.database == "core" or self.ai is None:
            return Destination(self.core, self.core)
        return Destination(self.ai, self.core)

    def plan(self, spec: TableSpec) -> TablePlan | None:
        """How a table is copied; None where legacy has none. Raises what `plan_table` raises."""
        return plan_table(self.legacy, self.targets.get(spec.table), spec, self.written)

    def look_at_source(self, plan: TablePlan, last: Fingerprint | None) -> StateChange | None:
        """Legacy's table, beside what the last copy saw of it."""
        since = last.source_seen if last else None
        with self.legacy.reading(plan.table):
            return look(self.legacy.connection, plan.source, plan.which(EVERY), plan.shape(), since)

    def look_at_target(self, plan: TablePlan, last: Fingerprint | None) -> StateChange | None:
        """The new pair's table, beside what the last copy left of it."""
        since = last.core_seen if last else None
        session = self.target(plan.spec).session
        return look(session, plan.target, plan.which(EVERY), plan.shape(), since)


@contextmanager
def copy_sessions(
    legacy_url: URL,
    core_url: URL,
    ai_url: URL | None,
    groups: Sequence[str],
    *,
    any_source: bool = False,
) -> Iterator[Sessions]:
    """Open what a copy of these groups needs.

    Args:
        any_source: take another old database too than the one that was copied from.

    Raises:
        BadInputError: there is no such group, AI's address is missing, or two addresses are one
            database.
        OtherLegacyError: legacy is not the database that was copied from.
        LegacySchemaError: see `ops.legacy_schema.enter_legacy`.
    """
    specs = [spec for group in groups for spec in specs_of(group)]
    _refuse_one_database(legacy_url, core_url, "Core", "DATABASE_URL")
    with ExitStack() as stack:
        core = stack.enter_context(core_session(core_url))
        ai, notes = None, core
        if any(spec.database == "ai" for spec in specs):
            if ai_url is None:
                raise BadInputError("the group ai is copied into AI; set AI_DATABASE_URL")
            _refuse_one_database(legacy_url, ai_url, "AI", "AI_DATABASE_URL")
            ai = stack.enter_context(core_session(ai_url, "AI"))
            notes = stack.enter_context(core_session(core_url))
        legacy = stack.enter_context(legacy_snapshot(legacy_url, {spec.table for spec in specs}))
        told = any(spec.keeps_ids for spec in specs)
        written = _written(legacy, core) if told else NOTHING_WRITTEN
        with legacy.reading("identity"):
            source = identity_in(legacy.connection)
        recorded = recorded_source(core)
        if not any_source:
            _refuse_other(legacy_url, source, recorded)
        targets = _targets(specs, core, ai)
        yield Sessions(legacy, core, ai, notes, written, source, recorded is not None, targets)


def _targets(
    specs: Sequence[TableSpec], core: psycopg.Connection, ai: psycopg.Connection | None
) -> dict[str, Relation]:
    tables = [spec.table for spec in specs if spec.database == "core"]
    found = read_relations(core, tables)
    if ai is not None:
        found |= read_relations(ai, [spec.table for spec in specs if spec.database == "ai"])
    return found


def _refuse_other(
    legacy: URL, found: Mapping[str, Any], recorded: Mapping[str, Any] | None
) -> None:
    if recorded is None or same_identity(found, recorded):
        return
    raise OtherLegacyError(
        f"legacy at {shown_address(legacy)} is {in_words(found)}, but what was copied came from "
        f"{in_words(recorded)}; correct LEGACY_DATABASE_URL, or, if it is a restored or upgraded "
        "one, accept it once by `sigmasight copy --group all --accept-legacy`"
    )


def _refuse_one_database(legacy: URL, other: URL, name: str, setting: str) -> None:
    if same_database(legacy, other):
        raise BadInputError(
            f"legacy and {name} are the same database; correct LEGACY_DATABASE_URL or {setting}"
        )


def _written(legacy: Legacy, core: psycopg.Connection) -> Written:
    return Written(_leftovers(legacy, core), first_computed_days(core))


def _leftovers(legacy: Legacy, core: psycopg.Connection) -> Leftovers:
    with legacy.reading("agent_conversations"):
        found = leftovers_of(legacy.connection)
    ours = leftovers_of(core)
    return Leftovers(
        tuple(sorted({*found.conversations, *ours.conversations})),
        tuple(sorted({*found.messages, *ours.messages})),
    )
