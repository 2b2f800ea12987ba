"""The open databases of a copy, and the tables that it looks at."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from sqlalchemy.engine import URL

from app.database_url import same_database
from ops.books.copies import Fingerprint, TableState, last_fingerprints
from ops.books.copy_source import recorded_source
from ops.books.ledger import first_computed_days
from ops.connection import connect, shown_address
from ops.copy.catalogue import Relation, read_relations
from ops.copy.core import Destination, core_session, writing
from ops.copy.errors import OtherLegacyError
from ops.copy.groups import TableSpec, specs_of
from ops.copy.legacy import Legacy, legacy_snapshot
from ops.copy.plan import TablePlan, plan_table
from ops.copy.table_state import Look, StateChange, looks
from ops.copy.which_rows import NOTHING_WRITTEN, Written
from ops.database_identity import identity_in, in_words, same_identity
from ops.errors import BadInputError
from ops.user_tables import Leftovers, leftovers_of


@dataclass(frozen=True)
class Connections:
    """What a copy of some groups needs, open before it begins; see `Sessions`."""

    legacy_url: URL
    core_url: URL
    legacy: psycopg.Connection
    core: psycopg.Connection
    ai: psycopg.Connection
    notes: psycopg.Connection

    @property
    def sessions(self) -> tuple[psycopg.Connection, ...]:
        """All of them, Core's first."""
        return self.core, self.legacy, self.ai, self.notes


@dataclass(frozen=True)
class Sessions:
    """One snapshot of legacy beside the new pair.

    Attributes:
        ai: Core's again where no table of the copy is there.
        notes: a second session of Core, for what must be known there before AI commits.
        written: what our own programs wrote on either side, which is not user data.
        source: legacy's identity.
        recorded: whether that is written down as what is copied from.
        targets: the new pair's tables of the copy, by name.
        seen: what looks at the snapshot found, by table and what they began from.
        plans: how tables are copied, as far as it was asked.
    """

    legacy: Legacy
    core: psycopg.Connection
    ai: psycopg.Connection
    notes: psycopg.Connection
    written: Written
    source: Mapping[str, Any]
    recorded: bool
    targets: Mapping[str, Relation]
    seen: dict[tuple[str, TableState | None], StateChange] = field(default_factory=dict)
    plans: dict[TableSpec, TablePlan | None] = field(default_factory=dict)

    def target(self, spec: TableSpec) -> Destination:
        """Where the rows of a table go."""
        return Destination(self.core if spec.database == "core" else self.ai, self.core)

    def plan(self, spec: TableSpec) -> TablePlan | None:
        """How a table is copied; None where legacy has none. Raises what `plan_table` raises."""
        if spec not in self.plans:
            target = self.targets.get(spec.table)
            self.plans[spec] = plan_table(self.legacy, target, spec, self.written)
        return self.plans[spec]

    def look_at_source(self, plan: TablePlan, last: Fingerprint | None) -> StateChange | None:
        """Legacy's table, beside what the last copy saw of it."""
        self.look_at_sources([plan], {} if last is None else {plan.table: last})
        return self.seen.get((plan.table, last.source_seen if last else None))

    def look_at_sources(self, plans: Sequence[TablePlan], lasts: Mapping[str, Fingerprint]) -> None:
        """`look_at_source` at many tables in one statement. A snapshot stands still, so that
        nothing is looked at twice, and what was seen in it is unchanged."""
        states = {table: last.source_seen for table, last in lasts.items()}
        asked = {
            plan.table: plan.look(plan.source, states.get(plan.table))
            for plan in plans
            if (plan.table, states.get(plan.table)) not in self.seen
        }
        with self.legacy.reading(next(iter(asked)) if len(asked) == 1 else "tables"):
            found = looks(self.legacy.connection, asked)
        for table, change in found.items():
            unchanged = replace(change, new_rows=0, before=change.seen.rows)
            self.seen[table, change.seen] = unchanged
            self.seen[table, asked[table].since] = change

    def look_at_target(self, plan: TablePlan, last: Fingerprint | None) -> StateChange | None:
        """The new pair's table, beside what the last copy left of it."""
        wanted = {plan.table: plan.look(plan.target, last.core_seen if last else None)}
        return looks(self.target(plan.spec).session, wanted).get(plan.table)

    def unwritten_sources(self, specs: Sequence[TableSpec]) -> list[tuple[TablePlan, Fingerprint]]:
        """The tables of legacy that are as the last copy saw them, with what it recorded."""
        lasts = last_fingerprints(self.core)
        plans = [plan for spec in specs if spec.table in lasts and (plan := self.plan(spec))]
        self.look_at_sources(plans, lasts)
        found = ((one, lasts[one.table]) for one in plans)
        return [
            (one, last)
            for one, last in found
            if (seen := self.seen.get((one.table, last.source_seen))) and seen.unchanged
        ]

    def unwritten(self, specs: Sequence[TableSpec]) -> dict[str, Fingerprint]:
        """By table what the last copy recorded, where both sides are as it saw and left them. Each
        database is asked once for all of them."""
        sources = self.unwritten_sources(specs)
        targets = defaultdict[psycopg.Connection, dict[str, Look]](dict)
        for plan, last in sources:
            look = plan.look(plan.target, last.core_seen)
            targets[self.target(plan.spec).session][plan.table] = look
        lasts = {plan.table: last for plan, last in sources}
        return {
            table: lasts[table]
            for session, asked in targets.items()
            for table, change in looks(session, asked).items()
            if change.unchanged
        }


@contextmanager
def copy_connections(
    legacy_url: URL, core_url: URL, ai_url: URL | None, groups: Sequence[str]
) -> Iterator[Connections]:
    """Connect to what a copy of these groups needs.

    Raises:
        BadInputError: there is no such group, AI's address is missing, or two addresses are one
            database.
    """
    _refuse_one_database(legacy_url, core_url, "Core", "DATABASE_URL")
    with ExitStack() as stack:
        core = stack.enter_context(core_session(core_url))
        ai = notes = core
        if any(spec.database == "ai" for group in groups for spec in specs_of(group)):
            if ai_url is None:
                raise BadInputError("the group ai is copied into AI; set AI_DATABASE_URL")
            _refuse_one_database(legacy_url, ai_url, "AI", "AI_DATABASE_URL")
            ai = stack.enter_context(core_session(ai_url))
            notes = stack.enter_context(core_session(core_url))
        reader = connect(legacy_url, application_name="copy reader", read_only=True)
        legacy = stack.enter_context(reader)
        yield Connections(legacy_url, core_url, legacy, core, ai, notes)


@contextmanager
def sessions_of(
    opened: Connections,
    groups: Sequence[str],
    *,
    any_source: bool = False,
    most_seconds: float | None = None,
) -> Iterator[Sessions]:
    """Begin a snapshot of legacy beside the new pair.

    Args:
        any_source: take another old database too than the one that was copied from.
        most_seconds: when legacy's server ends the snapshot.

    Raises:
        OtherLegacyError: legacy is not the database that was copied from.
        LegacySchemaError: see `ops.legacy_schema.enter_legacy`.
    """
    specs = [spec for group in groups for spec in specs_of(group)]
    core, tables = opened.core, {spec.table for spec in specs}
    with (
        writing(opened.core_url),
        legacy_snapshot(opened.legacy, opened.legacy_url, tables, most_seconds) as legacy,
    ):
        told = any(spec.keeps_ids for spec in specs)
        written = _written(legacy, core) if told else NOTHING_WRITTEN
        with legacy.reading("identity"):
            source = identity_in(legacy.connection)
        recorded = recorded_source(core)
        if not any_source:
            _refuse_other(opened.legacy_url, source, recorded)
        targets, known = _targets(specs, core, opened.ai), recorded is not None
        yield Sessions(legacy, core, opened.ai, opened.notes, written, source, known, targets)


@contextmanager
def copy_sessions(
    legacy_url: URL,
    core_url: URL,
    ai_url: URL | None,
    groups: Sequence[str],
    *,
    any_source: bool = False,
) -> Iterator[Sessions]:
    """`sessions_of` over connections of their own. Raises what both raise."""
    with (
        copy_connections(legacy_url, core_url, ai_url, groups) as opened,
        sessions_of(opened, groups, any_source=any_source) as sessions,
    ):
        yield sessions


def _targets(
    specs: Sequence[TableSpec], core: psycopg.Connection, ai: psycopg.Connection
) -> dict[str, Relation]:
    halves = {half: [one.table for one in specs if one.database == half] for half in ("core", "ai")}
    return read_relations(core, halves["core"]) | read_relations(ai, halves["ai"])


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
